// The candidates of a plan that are results: each entity once (or, for projections, each combination of values once), one
// per group, and none behind the end cursor.
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { decodeEntityRow, type EntityRow } from '../codec/entity-row.ts';
import { entityRowKey } from '../codec/row-key.ts';
import { indexedValues } from '../index/indexed-values.ts';
import { branchSource, type Candidate, type CandidateSource } from './branch-source.ts';
import { firstPosition, hasPosition } from './first-position.ts';
import { EntityScan } from './entity-scan.ts';
import { type Reading } from './hit-source.ts';
import { MergeSource } from './merge-source.ts';
import { metadataKind } from './metadata-kind.ts';
import { MetadataScan } from './metadata-scan.ts';
import { type QueryPlan } from './plan.ts';
import { columnEnds, columnsBehindCursor } from './position.ts';

export interface AcceptedBatch {
  readonly accepted: readonly Candidate[];
  readonly reached: Buffer;
  /** `more` also when the meter says to pause. */
  readonly state: 'more' | 'done' | 'at-end-cursor';
}

/** What counts as one result: an entity, or an index entry (projections and aggregations). */
export type Unit = 'entity' | 'entry';

export class ResultScan {
  readonly #plan: QueryPlan;
  readonly #reading: Reading;
  readonly #unit: Unit;
  readonly #end: Buffer | undefined;
  readonly #source: CandidateSource;
  #lastPosition: Buffer | undefined;
  #lastGroup: Buffer | undefined;

  /** Results from position `from` on, up to and without position `end`. Throws DS_INVALID for a forged cursor. */
  constructor(plan: QueryPlan, reading: Reading, unit: Unit, window: { readonly from: Buffer; readonly end?: Buffer }) {
    this.#plan = plan;
    this.#reading = reading;
    this.#unit = unit;
    this.#end = window.end;
    this.#source =
      unit === 'entity' && EntityScan.isFor(plan, reading)
        ? new EntityScan(plan, reading, window.from)
        : oneSource(plan, reading, window.from);
    if (plan.query.distinctOn.length > 0) {
      this.#lastGroup = columnsBehindCursor(window.from, plan, plan.query.distinctOn.length);
    }
  }

  async next(want: number): Promise<AcceptedBatch> {
    const { candidates, reached, done } = await this.#source.next(want);
    const { within, isAtEnd } = this.#beforeEnd(candidates);
    const accepted = await this.#proven(this.#firstOfGroup(this.#withoutRepeats(within)));
    const end = this.#end;
    const passedEnd = isAtEnd || (end !== undefined && Buffer.compare(reached, end) >= 0);
    if (passedEnd && end) return { accepted, reached: end, state: 'at-end-cursor' };
    return { accepted, reached, state: done ? 'done' : 'more' };
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  /** Rows of `candidates` that are not read yet. Throws DS_CORRUPT when an index row has no entity. */
  async load(candidates: readonly Candidate[]): Promise<readonly EntityRow[]> {
    const { partition } = this.#plan.query;
    const missing = candidates.filter(({ row }) => !row);
    const keys = missing.map(({ path }) => entityRowKey(partition, path));
    const read = keys.length > 0 ? await this.#reading.reader.getMany(keys) : [];
    this.#reading.meter.entities += keys.length;
    for (const key of keys) this.#reading.onRead(key, 1);
    let at = 0;
    return candidates.map(({ row }) => {
      if (row) return row;
      const bytes = read[at++];
      if (!bytes) throw new PlatformError('DS_CORRUPT', 'an index row without its entity');
      return decodeEntityRow(bytes);
    });
  }

  #beforeEnd(candidates: readonly Candidate[]): { readonly within: readonly Candidate[]; readonly isAtEnd: boolean } {
    const end = this.#end;
    if (!end) return { within: candidates, isAtEnd: false };
    const behind = candidates.findIndex(({ position }) => Buffer.compare(position, end) >= 0);
    return behind === -1 ? { within: candidates, isAtEnd: false } : { within: candidates.slice(0, behind), isAtEnd: true };
  }

  /** Branches that overlap yield the same position one after the other. */
  #withoutRepeats(candidates: readonly Candidate[]): readonly Candidate[] {
    if (this.#plan.branches.length < 2) return candidates;
    return candidates.filter(({ position }) => {
      const isRepeat = this.#lastPosition?.equals(position) === true;
      this.#lastPosition = position;
      return !isRepeat;
    });
  }

  #firstOfGroup(candidates: readonly Candidate[]): readonly Candidate[] {
    const { distinctOn } = this.#plan.query;
    if (distinctOn.length === 0) return candidates;
    const columns = this.#plan.layout.slice(0, distinctOn.length);
    return candidates.filter(({ position }) => {
      const group = position.subarray(0, columnEnds(position, columns).at(-1));
      const isRepeat = this.#lastGroup?.equals(group) === true;
      this.#lastGroup = group;
      return !isRepeat;
    });
  }

  /** Entities that fit, each at its first position; of index entries those that their entity bears out. */
  async #proven(candidates: readonly Candidate[]): Promise<readonly Candidate[]> {
    const canRepeat = this.#unit === 'entity' && (this.#plan.branches.length > 1 || this.#plan.layout.length > 0);
    const doubtful = candidates.filter(({ isOneOfMany, isUnproven }) => isUnproven ?? (canRepeat && isOneOfMany));
    if (doubtful.length === 0) return candidates;
    const rows = new Map((await this.load(doubtful)).map((row, at) => [doubtful[at], row]));
    return candidates
      .map((candidate): Candidate => {
        const row = rows.get(candidate);
        return row ? { ...candidate, row } : candidate;
      })
      .filter(({ row, path, position }) => {
        if (!row) return true;
        const values = indexedValues(decodeEntity(row.message).properties, this.#plan.query.partition.appId);
        if (this.#unit === 'entry') return hasPosition(this.#plan, values, path, position);
        return firstPosition(this.#plan, values, path)?.equals(position) === true;
      });
  }
}

function oneSource(plan: QueryPlan, reading: Reading, from: Buffer): CandidateSource {
  const metadata = metadataKind(plan.query.entityKind);
  const sources = plan.branches
    .map((branch) => {
      const [scan] = branch.scans;
      return metadata && scan ? new MetadataScan(plan, scan, metadata, reading, from) : branchSource(plan, branch, reading, from);
    })
    .filter((source) => source !== undefined);
  const [only] = sources;
  return only && sources.length === 1 ? only : new MergeSource(sources, from);
}
