// A query of whole kinds in key order, answered from the entity rows themselves: where siblings of a kind lie next to each
// other, as they do without descendants, that is one scan instead of a scan and a look-up per result. No row is read behind
// the last sibling. At the first descendant of another kind it goes on with the kind's index rows, and that kind is not read in
// this way again: so no more foreign rows are read than one chunk.
import { decodeEntityRow } from '../codec/entity-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { lastKindStart } from '../codec/path-code.ts';
import { encodedKind, pathEndsInKind } from '../codec/row-key.ts';
import { keyAfter, keyAfterPrefix } from '../storage/key-bytes.ts';
import { type RowScan } from '../storage/port.ts';
import { branchSource, type Candidate, type CandidateBatch, type CandidateSource } from './branch-source.ts';
import { type Reading } from './hit-source.ts';
import { IndexScan, scanRange } from './index-scan.ts';
import { type QueryPlan } from './plan.ts';

/** A run that was at least this long is worth looking for another. */
const RUN_ROWS_MIN = 64;

export class EntityScan implements CandidateSource {
  readonly #plan: QueryPlan;
  readonly #reading: Reading;
  /** Encoded; absent for entities of all kinds. */
  readonly #kind: Buffer | undefined;
  #scan: RowScan | undefined;
  /** Takes over at the first foreign row. */
  #index: CandidateSource | undefined;
  #reached: Buffer;
  /** Of the siblings that are being read. */
  #runEnd: Buffer | undefined;
  #runRows = 0;

  static isFor({ query, branches, keyDirection }: QueryPlan, { layout }: Reading): boolean {
    const [scan] = branches[0]?.scans ?? [];
    if (branches.length !== 1 || branches[0]?.proof || !scan?.kindRows || query.resultKind !== 'full' || keyDirection !== 'asc')
      return false;
    return !layout.isScattered(scan.prefix);
  }

  constructor(plan: QueryPlan, reading: Reading, from: Buffer) {
    this.#plan = plan;
    this.#reading = reading;
    this.#reached = from;
    const { entityKind } = plan.query;
    this.#kind = entityKind === undefined ? undefined : encodedKind(entityKind);
  }

  async next(want: number): Promise<CandidateBatch> {
    if (this.#index) return this.#index.next(want);
    const { partition } = this.#plan.query;
    this.#scan ??= await this.#open();
    const rows = (await this.#scan?.next(want)) ?? [];
    const [first] = rows;
    if (!first) return this.#endRun(want);
    this.#reading.meter.entities += rows.length;
    this.#reading.onRead(first.key, rows.length);
    const candidates: Candidate[] = [];
    for (const { key, value } of rows) {
      const path = key.subarray(partition.entities.length);
      if (this.#kind && !pathEndsInKind(path, this.#kind)) {
        this.#noteScattered();
        await this.#goOnWithIndex(path);
        return { candidates, reached: path, done: false };
      }
      candidates.push({ position: path, path, isOneOfMany: false, row: decodeEntityRow(value) });
    }
    this.#runRows += rows.length;
    this.#reached = keyAfter(candidates.at(-1)?.position ?? this.#reached);
    return { candidates, reached: this.#reached, done: false };
  }

  async close(): Promise<void> {
    const scan = this.#scan;
    this.#scan = undefined;
    await scan?.close();
    await this.#index?.close();
  }

  /** Of all kinds from the place asked for; of one kind its first entity, which its index knows, and the siblings of that. */
  async #open(): Promise<RowScan | undefined> {
    const [plan] = this.#plan.branches[0]?.scans ?? [];
    if (!plan) return undefined;
    const entities = { ...plan, prefix: this.#plan.query.partition.entities };
    if (!this.#kind) return this.#reading.reader.scan(scanRange(entities, this.#reached));
    const index = new IndexScan(plan, this.#reading, this.#reached);
    const [first] = (await index.next(1)).hits;
    await index.close();
    if (!first) return undefined;
    const siblings = first.place.subarray(0, lastKindStart(new OrderedReader(first.place)) + this.#kind.length);
    this.#runRows = 0;
    this.#runEnd = keyAfterPrefix(siblings);
    return this.#reading.reader.scan(scanRange(entities, first.place, this.#runEnd));
  }

  /** After a long run there may be another; short ones are better read by the index. */
  async #endRun(want: number): Promise<CandidateBatch> {
    const end = this.#scan && this.#runEnd;
    if (!end) return { candidates: [], reached: this.#reached, done: true };
    this.#reached = end;
    if (this.#runRows < RUN_ROWS_MIN) {
      await this.#goOnWithIndex(end);
      return this.next(want);
    }
    const scan = this.#scan;
    this.#scan = undefined;
    await scan?.close();
    return { candidates: [], reached: end, done: false };
  }

  #noteScattered(): void {
    const [plan] = this.#plan.branches[0]?.scans ?? [];
    if (plan) this.#reading.layout.noteScattered(plan.prefix);
  }

  async #goOnWithIndex(from: Buffer): Promise<void> {
    const scan = this.#scan;
    this.#scan = undefined;
    await scan?.close();
    const [branch] = this.#plan.branches;
    // With no columns there is always a place to go on from.
    this.#index = branch && branchSource(this.#plan, branch, this.#reading, from);
  }
}
