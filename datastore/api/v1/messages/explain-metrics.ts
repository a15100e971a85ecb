// ExplainMetrics of answers: how a query is answered, and what that took. The names and texts in its structures are those that
// clients print and their tests know (reference, section 1.9).
import { type ProtoWriter } from '../../../../sdk/contract/protobuf.ts';
import { type PlanView } from '../../../read-answer.ts';

/** An aggregation pays for what it counts: one read for so many index entries. */
const ENTRIES_PER_READ = 1_000;
const NANOS_PER_MS = 1_000_000;
const MS_PER_SECOND = 1_000;

/** A google.protobuf.Struct of texts and further structures. */
interface Struct {
  readonly [name: string]: string | Struct;
}

/** `resultsReturned`: none when nothing was run. */
export function writeExplainMetrics(writer: ProtoWriter, plan: PlanView, resultsReturned: number | undefined): void {
  writer.messageField(1, () => {
    for (const { scope, properties } of plan.indexesUsed) {
      writer.messageField(1, () => writeStruct(writer, { query_scope: scope, properties }));
    }
  });
  if (resultsReturned !== undefined) writer.messageField(2, () => writeStatistics(writer, plan, resultsReturned));
}

function writeStatistics(writer: ProtoWriter, plan: PlanView, resultsReturned: number): void {
  const { indexRowsRead, entitiesRead, durationMs } = plan;
  // Who reads entities pays for them, who reads index entries alone for those.
  const billed = { entities: entitiesRead, entries: entitiesRead > 0 ? 0 : indexRowsRead };
  const operations = billed.entities + Math.ceil(billed.entries / ENTRIES_PER_READ);
  if (resultsReturned > 0) writer.smallField(1, resultsReturned);
  writer.messageField(3, () => writeDuration(writer, durationMs));
  if (operations > 0) writer.smallField(4, operations);
  writer.messageField(5, () => {
    writeStruct(writer, {
      billing_details: {
        documents_billable: String(billed.entities),
        index_entries_billable: String(billed.entries),
        min_query_cost: operations === 0 ? '1' : '0',
        small_ops: '0',
      },
      documents_scanned: String(entitiesRead),
      index_entries_scanned: String(indexRowsRead),
    });
  });
}

function writeDuration(writer: ProtoWriter, ms: number): void {
  const seconds = Math.floor(ms / MS_PER_SECOND);
  const nanos = Math.round((ms - seconds * MS_PER_SECOND) * NANOS_PER_MS);
  if (seconds > 0) writer.smallField(1, seconds);
  if (nanos > 0) writer.smallField(2, nanos);
}

function writeStruct(writer: ProtoWriter, struct: Struct): void {
  for (const [name, value] of Object.entries(struct)) {
    writer.messageField(1, () => {
      writer.stringField(1, name);
      writer.messageField(2, () => {
        if (typeof value === 'string') writer.stringField(3, value);
        else writer.messageField(5, () => writeStruct(writer, value));
      });
    });
  }
}
