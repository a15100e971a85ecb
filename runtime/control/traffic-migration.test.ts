import { describe, expect, it } from 'vitest';
import { type MigrationRecord } from './control-store.ts';
import {
  beginMigration,
  decideMigration,
  type MigrationHealth,
  MIGRATION_SHARES,
  migrationSplit,
  migrationView,
  stepMs,
} from './traffic-migration.ts';

const begun = beginMigration('v2', { v1: 1 }, 70_000, 1_000);
const at = (steps: number, changes: Partial<MigrationRecord> = {}): MigrationRecord => ({ ...begun, steps, ...changes });
const NONE = { requests: 0, errors: 0 };
const HEALTHY: MigrationHealth = { target: NONE, others: NONE, othersBefore: NONE };
const count = (requests: number, errors: number) => ({ requests, errors });

describe('migrationSplit', () => {
  it('moves more with each step, and everything with the last', () => {
    expect(MIGRATION_SHARES.map((_, index) => migrationSplit(at(index + 1))['v2'])).toEqual(MIGRATION_SHARES);
    expect(migrationSplit(at(MIGRATION_SHARES.length))).toEqual({ v2: 1 });
    expect(MIGRATION_SHARES).toEqual([...MIGRATION_SHARES].sort((a, b) => a - b));
  });

  it('begins from any split, and goes back to it', () => {
    const from = { v1: 0.6, v2: 0.2, v3: 0.2 };
    const split = migrationSplit(at(6, { from }));
    expect(split['v1']).toBeCloseTo(0.3);
    expect(split['v2']).toBeCloseTo(0.6);
    expect(split['v3']).toBeCloseTo(0.1);
    expect(migrationSplit(at(6, { from, state: 'rolled-back' }))).toEqual(from);
  });
});

describe('decideMigration', () => {
  it('takes one step after each pause, also when it was away for long, and ends with the last', () => {
    expect(stepMs(begun)).toBe(10_000);
    expect(decideMigration(begun, HEALTHY, 10_999)).toEqual({ kind: 'wait' });
    expect(decideMigration(begun, HEALTHY, 11_000)).toMatchObject({
      kind: 'step',
      migration: { steps: 2, steppedAtMs: 11_000, state: 'running' },
    });
    expect(decideMigration(begun, HEALTHY, 9_999_999)).toMatchObject({ kind: 'step', migration: { steps: 2 } });
    expect(decideMigration(at(7), HEALTHY, 11_000)).toMatchObject({ migration: { steps: 8, state: 'done' } });
  });

  it('does not wait for a clock that was set back', () => {
    expect(decideMigration(begun, HEALTHY, 0)).toMatchObject({ kind: 'step' });
  });

  it.each([
    ['no request at all', count(0, 0), count(0, 0), count(0, 0), 'wait'],
    ['four errors, however few the requests', count(4, 4), count(500, 0), count(500, 0), 'wait'],
    ['five errors of five', count(5, 5), count(500, 0), count(500, 0), 'roll-back'],
    ['both fail alike', count(100, 50), count(100, 50), count(900, 50), 'wait'],
    ['both fail now, which the others did not before', count(100, 50), count(100, 45), count(9_000, 45), 'wait'],
    ['four times the rate, within chance', count(100, 8), count(100, 2), count(100, 2), 'wait'],
    ['well above the others', count(1_000, 60), count(1_000, 10), count(1_000, 10), 'roll-back'],
    ['above, but by less than the margin', count(10_000, 90), count(10_000, 1), count(10_000, 1), 'wait'],
    ['no other has traffic any more: judged by what it did before', count(100, 8), count(0, 0), count(5_000, 10), 'roll-back'],
    ['the same, and they failed as often', count(100, 8), count(3, 0), count(5_000, 400), 'wait'],
    ['nothing is known of the others', count(100, 8), count(0, 0), count(0, 0), 'roll-back'],
  ])('%s', (_, target, others, othersBefore, kind) => {
    expect(decideMigration(begun, { target, others, othersBefore }, 2_000).kind).toBe(kind);
  });

  it('says why it rolls back, and does so although a step is due', () => {
    const decision = decideMigration(at(3), { target: count(20, 10), others: count(200, 2), othersBefore: count(200, 2) }, 99_000);
    expect(decision).toMatchObject({
      kind: 'roll-back',
      migration: { state: 'rolled-back', reason: '10 of its 20 answers since the last step were errors (50 %, of the others 1 %)' },
    });
  });
});

describe('migrationView', () => {
  it('says how far it is and when it will be over', () => {
    expect(migrationView(at(3, { steppedAtMs: 21_000 }))).toEqual({
      to: 'v2',
      state: 'running',
      progress: 0.1,
      startedAtMs: 1_000,
      durationMs: 70_000,
      endsAtMs: 71_000,
    });
    expect(migrationView(at(8, { state: 'done' }))).toMatchObject({ progress: 1 });
    expect(migrationView(at(5, { state: 'rolled-back', reason: 'x' }))).toMatchObject({ progress: 0, reason: 'x' });
  });
});
