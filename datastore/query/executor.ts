// Runs a plan for one batch of results: as many as limit, batch size and budget allow, and where to go on.
import { type StoredEntity } from '../../sdk/contract/datastore-wire.ts';
import { encodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type MoreResults } from '../../sdk/contract/query.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { keyFromPath } from '../codec/row-key.ts';
import { readValue } from '../codec/value-code.ts';
import { keyAfter } from '../storage/key-bytes.ts';
import { INDEX_VALUE_MEANING } from '../index/entity-check.ts';
import { type Candidate } from './branch-source.ts';
import { NOWHERE, type Reading } from './hit-source.ts';
import { type QueryPlan } from './plan.ts';
import { ResultScan } from './result-scan.ts';

export interface Window {
  readonly limit?: number;
  readonly offset: number;
  /** Positions; results lie in [from, end). */
  readonly from?: Buffer;
  readonly end?: Buffer;
}

export interface PositionedEntity extends StoredEntity {
  readonly position: Buffer;
  /** Absent where an index alone was read, and of metadata. */
  readonly createdMicros?: bigint;
  readonly updatedMicros?: bigint;
}

export interface ResultBatch {
  readonly results: readonly PositionedEntity[];
  readonly skipped: number;
  /** Right behind the last one that was skipped, if any was. */
  readonly skippedTo?: Buffer;
  /** Where the next batch begins. */
  readonly reached: Buffer;
  readonly more: MoreResults;
}

/** Of a result in an answer, at most, beside its entity and the position in its cursor: version, times, and what frames them. */
export const RESULT_EXTRA_BYTES = 96;

/** Index rows asked for at once; results of a small limit are not read ahead of. */
const CHUNK_MAX = 512;

/** Throws DS_INVALID for a forged cursor, DS_CORRUPT. Never returns results before the offset is used up. */
export async function runBatch(plan: QueryPlan, window: Window, reading: Reading): Promise<ResultBatch> {
  const from = window.from ?? NOWHERE;
  if (plan.branches.length === 0) return { results: [], skipped: 0, reached: from, more: 'no-more' };
  // Of each group the first is wanted, wherever else its entity comes up.
  const unit = plan.query.resultKind === 'projection' || plan.query.distinctOn.length > 0 ? 'entry' : 'entity';
  const scan = new ResultScan(plan, reading, unit, { from, ...(window.end ? { end: window.end } : {}) });
  try {
    return await collect(plan, window, scan, reading, from);
  } finally {
    await scan.close();
  }
}

async function collect(plan: QueryPlan, window: Window, scan: ResultScan, reading: Reading, from: Buffer): Promise<ResultBatch> {
  const limit = window.limit ?? Infinity;
  const resultsMax = Math.min(limit, LIMITS.queryBatchResultsMax);
  const results: PositionedEntity[] = [];
  let skipped = 0;
  let skippedTo: Buffer | undefined;
  let bytes = 0;
  let reached = from;
  const end = (more: MoreResults): ResultBatch => ({ results, skipped, ...(skippedTo ? { skippedTo } : {}), reached, more });
  for (;;) {
    const toSkip = window.offset - skipped;
    if (toSkip === 0 && results.length >= limit) return end('after-limit');
    if (toSkip === 0 && results.length >= resultsMax) return end('not-finished');
    const want = Math.max(1, Math.min(toSkip + resultsMax - results.length, CHUNK_MAX));
    const batch = await scan.next(want);
    const skip = batch.accepted.slice(0, toSkip);
    skipped += skip.length;
    const lastSkipped = skip.at(-1);
    if (lastSkipped) reached = skippedTo = keyAfter(lastSkipped.position);
    const chosen = batch.accepted.slice(skip.length, skip.length + resultsMax - results.length);
    for (const result of await toResults(plan, chosen, scan)) {
      bytes += result.entity.length + result.position.length + RESULT_EXTRA_BYTES;
      if (results.length > 0 && bytes > LIMITS.queryBatchBytesMax) return end('not-finished');
      results.push(result);
      reached = keyAfter(result.position);
    }
    if (skip.length + chosen.length < batch.accepted.length) continue;
    reached = batch.reached;
    if (window.offset === skipped && results.length >= limit) return end('after-limit');
    if (batch.state === 'done') return end('no-more');
    if (batch.state === 'at-end-cursor') return end('after-cursor');
    if (reading.meter.isSpent) return end('not-finished');
  }
}

async function toResults(plan: QueryPlan, chosen: readonly Candidate[], scan: ResultScan): Promise<readonly PositionedEntity[]> {
  const { partition, resultKind, projection } = plan.query;
  if (resultKind === 'full') {
    const rows = await scan.load(chosen);
    return chosen.map(({ position }, at) => {
      const row = rows[at];
      if (!row) return { entity: NOWHERE, version: 0n, position };
      const { message: entity, version, createdMicros, updatedMicros } = row;
      // What no commit has written: metadata.
      if (version === 0n) return { entity, version, position };
      return { entity, version, createdMicros, updatedMicros, position };
    });
  }
  return chosen.map((candidate) => {
    const properties = resultKind === 'projection' ? projected(plan, candidate, projection) : {};
    const entity = encodeEntity({ key: keyFromPath(partition, candidate.path), properties });
    return { entity, version: 0n, position: candidate.position };
  });
}

/** Values of `names` as the index has them. */
export function columnValues(plan: QueryPlan, { position }: Candidate): ReadonlyMap<string, Value> {
  const values = new Map<string, Value>();
  let offset = 0;
  for (const { property, direction } of plan.layout) {
    const reader = new OrderedReader(position, offset, { complemented: direction === 'desc' });
    values.set(property, readValue(reader));
    offset = reader.offset;
  }
  return values;
}

function projected(plan: QueryPlan, candidate: Candidate, names: readonly string[]): Readonly<Record<string, Value>> {
  const values = columnValues(plan, candidate);
  const properties = Object.create(null) as Record<string, Value>;
  for (const name of names) {
    const value = values.get(name);
    if (value) properties[name] = { ...value, meaning: INDEX_VALUE_MEANING };
  }
  return properties;
}
