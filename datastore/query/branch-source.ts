// The hits of one branch as candidates for results: checked against what its scans' ranges do not see to.
import { type EntityRow } from '../codec/entity-row.ts';
import { contains, isInColumnRange } from './bounds.ts';
import { type Hit, type HitSource, type Reading } from './hit-source.ts';
import { IndexScan } from './index-scan.ts';
import { JoinScan } from './join-scan.ts';
import { type BranchPlan, type QueryPlan } from './plan.ts';
import { columnEnds, pathAt, placeFrom, positionOf } from './position.ts';
import { RunScan } from './run-scan.ts';

export interface Candidate {
  readonly position: Buffer;
  /** The encoded path. */
  readonly path: Buffer;
  /** Whether the entity may come up at other positions too. */
  readonly isOneOfMany: boolean;
  /** Whether only the entity itself can tell that it fits. */
  readonly isUnproven?: true;
  /** The entity's row, where it has been read already. */
  readonly row?: EntityRow;
}

export interface CandidateBatch {
  readonly candidates: readonly Candidate[];
  /** Every candidate below this position has been returned by now. */
  readonly reached: Buffer;
  readonly done: boolean;
}

/** Candidates in ascending order of their positions. */
export interface CandidateSource {
  next(want: number): Promise<CandidateBatch>;
  close(): Promise<void>;
}

/** Undefined when no candidate of the branch lies at or behind `from`. */
export function branchSource(plan: QueryPlan, branch: BranchPlan, reading: Reading, from: Buffer): CandidateSource | undefined {
  const place = placeFrom(from, plan, branch);
  if (!place) return undefined;
  return indexSource(plan, branch, reading, place, from);
}

function indexSource(plan: QueryPlan, branch: BranchPlan, reading: Reading, place: Buffer, from: Buffer): CandidateSource {
  const source = hitSource(branch, reading, place);
  let lastPosition = from;
  return {
    next: async (want) => {
      const { hits, reached, done } = await source.next(want);
      const candidates: Candidate[] = [];
      for (const hit of hits) {
        const candidate = candidateOf(hit, plan, branch);
        if (candidate) candidates.push(candidate);
      }
      if (reached.length > 0) lastPosition = reachedPosition(reached, branch, lastPosition);
      return { candidates, reached: lastPosition, done };
    },
    close: () => source.close(),
  };
}

function hitSource({ scans }: BranchPlan, reading: Reading, from: Buffer): HitSource {
  const [first] = scans;
  if (!first || scans.length > 1) return new JoinScan(scans, reading, from);
  return first.kind === 'runs' ? new RunScan(first, reading, from) : new IndexScan(first, reading, from);
}

function candidateOf(hit: Hit, plan: QueryPlan, branch: BranchPlan): Candidate | undefined {
  if (branch.proof === undefined) return placed(hit, plan, branch);
  const candidate = branch.proof === 'several' && !hit.isOneOfMany ? undefined : placed(hit, plan, branch);
  return candidate && { ...candidate, isUnproven: true };
}

function placed({ place, isOneOfMany }: Hit, plan: QueryPlan, branch: BranchPlan): Candidate | undefined {
  // Most queries: the place is the path, in its own order.
  if (plan.layout.length === 0 && plan.keyDirection === 'asc') return { position: place, path: place, isOneOfMany };
  const ends = columnEnds(place, branch.columns);
  for (const [at, range] of branch.columnChecks.entries()) {
    if (range && !isInColumnRange(place.subarray(ends[at - 1] ?? 0, ends[at]), range)) return undefined;
  }
  const path = pathAt(place, ends.at(-1) ?? 0, plan.keyDirection);
  if (branch.checksKeys && !contains(branch.disjunct.keys, path)) return undefined;
  return { position: positionOf(place, branch, ends), path, isOneOfMany };
}

/** A place that was reached may end inside a column, where a scan began; then the position is not known yet. */
function reachedPosition(place: Buffer, branch: BranchPlan, before: Buffer): Buffer {
  if (branch.columns.length === branch.fixed.length) return place;
  try {
    return positionOf(place, branch, columnEnds(place, branch.columns));
  } catch {
    return before;
  }
}
