// A query of whole kinds in key order, answered from the entity rows themselves: where the entities of a kind lie next to each
// other, as they do without ancestors, that is one scan instead of a scan and a look-up per result. At the first entity of
// another kind it goes on with the kind's index rows, and that kind is not read in this way again: so no more foreign rows are
// read than one chunk.
import { decodeEntityRow } from '../codec/entity-row.ts';
import { encodedKind, pathEndsInKind } from '../codec/row-key.ts';
import { keyAfter } from '../storage/key-bytes.ts';
import { type RowScan } from '../storage/port.ts';
import { branchSource, type Candidate, type CandidateBatch, type CandidateSource } from './branch-source.ts';
import { type Reading } from './hit-source.ts';
import { IndexScan, scanRange } from './index-scan.ts';
import { type QueryPlan } from './plan.ts';

export class EntityScan implements CandidateSource {
  readonly #plan: QueryPlan;
  readonly #reading: Reading;
  /** Encoded; absent for entities of all kinds. */
  readonly #kind: Buffer | undefined;
  #scan: RowScan | undefined;
  /** Takes over at the first foreign row. */
  #index: CandidateSource | undefined;
  #reached: Buffer;

  static isFor({ query, branches, keyDirection }: QueryPlan, { layout }: Reading): boolean {
    const [scan] = branches[0]?.scans ?? [];
    if (branches.length !== 1 || !scan?.kindRows || query.resultKind !== 'full' || keyDirection !== 'asc') return false;
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
    if (!first) return { candidates: [], reached: this.#reached, done: true };
    this.#reading.meter.entities += rows.length;
    this.#reading.onRead(first.key, rows.length);
    const candidates: Candidate[] = [];
    for (const { key, value } of rows) {
      const path = key.subarray(partition.entities.length);
      if (this.#kind && !pathEndsInKind(path, this.#kind)) {
        await this.#goOnWithIndex(path);
        return { candidates, reached: path, done: false };
      }
      candidates.push({ position: path, path, isOneOfMany: false, row: decodeEntityRow(value) });
    }
    this.#reached = keyAfter(candidates.at(-1)?.position ?? this.#reached);
    return { candidates, reached: this.#reached, done: false };
  }

  async close(): Promise<void> {
    const scan = this.#scan;
    this.#scan = undefined;
    await scan?.close();
    await this.#index?.close();
  }

  /** From the place asked for, or from the first entity of the kind, which its index knows; undefined when there is none. */
  async #open(): Promise<RowScan | undefined> {
    const [plan] = this.#plan.branches[0]?.scans ?? [];
    if (!plan) return undefined;
    let from = this.#reached;
    if (this.#kind && from.length === 0 && plan.range.from.length === 0) {
      const index = new IndexScan(plan, this.#reading, from);
      const [first] = (await index.next(1)).hits;
      await index.close();
      if (!first) return undefined;
      from = first.place;
    }
    return this.#reading.reader.scan(scanRange({ ...plan, prefix: this.#plan.query.partition.entities }, from));
  }

  async #goOnWithIndex(from: Buffer): Promise<void> {
    const scan = this.#scan;
    this.#scan = undefined;
    await scan?.close();
    const [branch] = this.#plan.branches;
    const [plan] = branch?.scans ?? [];
    if (plan) this.#reading.layout.noteScattered(plan.prefix);
    // With no columns there is always a place to go on from.
    this.#index = branch && branchSource(this.#plan, branch, this.#reading, from);
  }
}
