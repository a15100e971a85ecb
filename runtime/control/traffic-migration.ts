// How traffic moves gradually from a split to one version: pure decisions. traffic-migrations.ts carries them out.
//
// The new version gets 1 %, then more with each of eight steps at equal times; the last one ends the migration. Steps are
// recorded one by one, so a control plane that was away goes on where it was, and never takes two at once.
import { type MigrationView } from '../../sdk/contract/admin/routing.ts';
import { type MigrationRecord } from './control-store.ts';

/** What of the traffic that is to move has moved after each step. */
export const MIGRATION_SHARES: readonly number[] = [0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1];

/** Requests answered, and those of them with a status of 500 or more. */
export interface AnswerCount {
  readonly requests: number;
  readonly errors: number;
}

/** Answers since the last step, and of the other versions since the migration is watched. */
export interface MigrationHealth {
  readonly target: AnswerCount;
  readonly others: AnswerCount;
  readonly othersBefore: AnswerCount;
}

export type MigrationDecision =
  | { readonly kind: 'wait' }
  | { readonly kind: 'step'; readonly migration: MigrationRecord }
  | { readonly kind: 'roll-back'; readonly migration: MigrationRecord };

/** Fewer errors say nothing. */
const ERRORS_MIN = 5;
/** A rate of errors is well above another from twice that and one percent more, if chance gives that once in a thousand times. */
const RATE_FACTOR = 2;
const RATE_MARGIN = 0.01;
const SIGMAS = 3;
/** With fewer requests since the last step, the other versions are judged by all that is known of them. */
const OTHERS_REQUESTS_MIN = 20;

export function beginMigration(to: string, from: Readonly<Record<string, number>>, durationMs: number, nowMs: number): MigrationRecord {
  return { to, from, state: 'running', steps: 1, durationMs, startedAtMs: nowMs, steppedAtMs: nowMs };
}

/** Shares of the versions at this point of a migration; they add up to 1. */
export function migrationSplit({ to, from, state, steps }: MigrationRecord): Readonly<Record<string, number>> {
  if (state === 'rolled-back') return from;
  const moved = shareMoved(steps);
  const split: Record<string, number> = {};
  for (const [version, share] of Object.entries(from)) split[version] = share * (1 - moved);
  split[to] = (split[to] ?? 0) + moved;
  return Object.fromEntries(Object.entries(split).filter(([, share]) => share > 0));
}

/** `nowMs` is the wall clock: a migration goes on after a restart. */
export function decideMigration(migration: MigrationRecord, health: MigrationHealth, nowMs: number): MigrationDecision {
  const reason = failure(health);
  if (reason !== undefined) return { kind: 'roll-back', migration: { ...migration, state: 'rolled-back', steppedAtMs: nowMs, reason } };
  const passedMs = nowMs - migration.steppedAtMs;
  // A clock that was set back must not hold the migration up for as long.
  if (passedMs >= 0 && passedMs < stepMs(migration)) return { kind: 'wait' };
  const steps = migration.steps + 1;
  return { kind: 'step', migration: { ...migration, steps, steppedAtMs: nowMs, state: shareMoved(steps) < 1 ? 'running' : 'done' } };
}

export function stepMs({ durationMs }: MigrationRecord): number {
  return durationMs / (MIGRATION_SHARES.length - 1);
}

export function migrationView(migration: MigrationRecord): MigrationView {
  const { to, state, steps, durationMs, startedAtMs, steppedAtMs, reason } = migration;
  const stepsLeft = MIGRATION_SHARES.length - steps;
  return {
    to,
    state,
    progress: state === 'rolled-back' ? 0 : shareMoved(steps),
    startedAtMs,
    durationMs,
    ...(state === 'running' ? { endsAtMs: Math.round(steppedAtMs + stepsLeft * stepMs(migration)) } : {}),
    ...(reason === undefined ? {} : { reason }),
  };
}

function shareMoved(steps: number): number {
  return MIGRATION_SHARES[Math.min(steps, MIGRATION_SHARES.length) - 1] ?? 0;
}

/** Why the new version must not have more traffic, for people; undefined when nothing speaks against it. */
function failure({ target, others, othersBefore }: MigrationHealth): string | undefined {
  if (target.errors < ERRORS_MIN) return undefined;
  const peers = others.requests >= OTHERS_REQUESTS_MIN ? others : othersBefore;
  const rate = rateOf(target);
  const peerRate = rateOf(peers);
  if (rate <= RATE_FACTOR * peerRate + RATE_MARGIN) return undefined;
  if (peers.requests > 0 && sigmasApart(target, peers) < SIGMAS) return undefined;
  const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`;
  const peerText = peers.requests === 0 ? '' : `, of the others ${percent(peerRate)}`;
  return `${target.errors} of its ${target.requests} answers since the last step were errors (${percent(rate)}${peerText})`;
}

function rateOf({ requests, errors }: AnswerCount): number {
  return requests === 0 ? 0 : errors / requests;
}

/** The two-proportion z-test. */
function sigmasApart(a: AnswerCount, b: AnswerCount): number {
  const pooled = (a.errors + b.errors) / (a.requests + b.requests);
  const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / a.requests + 1 / b.requests));
  return deviation === 0 ? 0 : (rateOf(a) - rateOf(b)) / deviation;
}
