import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type ControlChange, type ControlRecord, type TrafficRecord } from './control-store.ts';
import {
  deletionChanges,
  migrationBegin,
  migrationChanges,
  type RegistryState,
  runningMigrations,
  servingChanges,
  shareOf,
  stagingChanges,
  stateOf,
  tokenChanges,
  tokenDeletionChanges,
  trafficChanges,
  versionIn,
} from './registry-state.ts';
import { appRecord, cronRecord, dispatchRecord, queuesRecord, tokenRecord, trafficRecord, versionRecord } from './sample-records.ts';

const stateWith = (...records: ControlRecord[]): RegistryState => stateOf([appRecord('a'), ...records]);
const serving = (name: string, service = 'default') => versionRecord('a', service, name, { state: 'serving' });

describe('stagingChanges', () => {
  it('makes the app with its first version', () => {
    const record = versionRecord('a', 'default', 'v1');
    expect(stagingChanges(stateOf([]), record).map(({ op, record: { kind } }) => [op, kind])).toEqual([
      ['insert', 'app'],
      ['insert', 'version'],
    ]);
  });

  it('never replaces a version', () => {
    expect(() => stagingChanges(stateWith(serving('v1')), versionRecord('a', 'default', 'v1'))).toThrow(
      expect.objectContaining({ code: 'VERSION_EXISTS' }),
    );
    expect(stagingChanges(stateWith(serving('v1')), versionRecord('a', 'api', 'v1'))).toHaveLength(1);
  });

  it('stops at the limit of versions', () => {
    const full = stateWith(...Array.from({ length: LIMITS.versionsPerAppMax }, (_, index) => serving(`v${index}`)));
    expect(() => stagingChanges(full, versionRecord('a', 'default', 'one-more'))).toThrow(
      expect.objectContaining({ code: 'VERSION_LIMIT' }),
    );
  });
});

describe('servingChanges', () => {
  it('moves all traffic when promoted and none otherwise', () => {
    const staged = versionRecord('a', 'default', 'v2');
    const state = stateWith(serving('v1'), staged, trafficRecord('a', 'default', { v1: 1 }, 'cookie'));
    expect(servingChanges(state, staged, false, 9)).toEqual([{ op: 'put', record: { ...staged, state: 'serving' } }]);
    expect(servingChanges(state, staged, true, 9)[1]?.record).toEqual({
      ...trafficRecord('a', 'default', { v2: 1 }, 'cookie'),
      changedAtMs: 9,
    });
  });
});

describe('what belongs to the app as a whole', () => {
  const staged = versionRecord('a', 'default', 'v2');
  const queues = { queues: queuesRecord('a').queues, resumePaused: false };
  const { jobs } = cronRecord('a');
  const bare = [{ id: 'a1', description: 'd', url: '/tick', schedule: 'every 5 minutes', timezone: 'UTC', retry: queues.queues[0]!.retry }];

  it('holds once the deploy serves', () => {
    const { rules } = dispatchRecord('a');
    const changes = servingChanges(stateWith(staged), staged, false, 9, { queues, cron: bare, dispatch: rules });
    expect(changes.slice(1).map(({ record }) => record)).toEqual([
      { kind: 'dispatch', appId: 'a', rules, changedAtMs: 9 },
      { kind: 'queues', appId: 'a', ...queues, changedAtMs: 9 },
      { kind: 'cron', appId: 'a', jobs: [{ ...jobs[0], sinceMs: 9 }], changedAtMs: 9 },
    ]);
  });

  it('stays when the deploy does not bring it, and an empty list clears it', () => {
    const state = stateWith(staged, queuesRecord('a'), cronRecord('a'));
    expect(servingChanges(state, staged, false, 9)).toHaveLength(1);
    expect(servingChanges(state, staged, false, 9, { cron: [] })[1]?.record).toMatchObject({ kind: 'cron', jobs: [] });
  });

  it('keeps the age of a job that another deploy brings again', () => {
    const state = stateWith(staged, cronRecord('a'));
    const [, change] = servingChanges(state, staged, false, 9, { cron: [...bare, { ...bare[0]!, id: 'b2' }] });
    expect(change?.record).toMatchObject({
      jobs: [
        { id: 'a1', sinceMs: 1 },
        { id: 'b2', sinceMs: 9 },
      ],
    });
  });

  it('is part of the picture, and goes with the app', () => {
    const state = stateWith(serving('v1'), queuesRecord('a'), cronRecord('a'), dispatchRecord('a'));
    expect(state.get('a')).toMatchObject({ queues: queuesRecord('a'), cron: cronRecord('a'), dispatch: dispatchRecord('a') });
    expect(state.get('a')?.services.size).toBe(1);
    expect(deletionChanges(state, 'a', 'default', 'v1').map(({ op, record }) => `${op} ${record.kind}`)).toEqual([
      ...['delete version', 'delete queues', 'delete cron', 'delete dispatch', 'delete app'],
    ]);
  });
});

describe('datastore tokens', () => {
  const mine = tokenRecord('a', 'h1');

  it('belong to an app that is there, are deleted by their id, and go with the app', () => {
    const state = stateWith(serving('v1'), mine, tokenRecord('a', 'h2'));
    expect(state.get('a')?.datastoreTokens.map(({ hash }) => hash)).toEqual(['h1', 'h2']);
    expect(tokenChanges(state, tokenRecord('a', 'h3'))).toEqual([{ op: 'insert', record: tokenRecord('a', 'h3') }]);
    expect(() => tokenChanges(state, tokenRecord('b', 'h3'))).toThrow(/no such app/);
    expect(tokenDeletionChanges(state, 'a', 'id-h1')).toEqual([{ op: 'delete', record: mine }]);
    expect(() => tokenDeletionChanges(state, 'a', 'h1')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    const gone = deletionChanges(state, 'a', 'default', 'v1').map(({ record }) => record.kind);
    expect(gone).toEqual(['version', 'datastore-token', 'datastore-token', 'app']);
  });

  it('are so many at most', () => {
    const tokens = Array.from({ length: LIMITS.datastoreTokensPerAppMax }, (_, index) => tokenRecord('a', `h${index}`));
    expect(() => tokenChanges(stateWith(serving('v1'), ...tokens), tokenRecord('a', 'one more'))).toThrow(
      expect.objectContaining({ code: 'DS_LIMIT' }),
    );
    expect(tokenChanges(stateWith(serving('v1'), ...tokens.slice(1)), tokenRecord('a', 'one more'))).toHaveLength(1);
  });
});

describe('trafficChanges', () => {
  const state = stateWith(serving('v1'), serving('v2'), serving('v3'), versionRecord('a', 'default', 'new'));
  const splitOf = (weights: Record<string, number>): unknown => {
    const [change] = trafficChanges(state, 'a', 'default', weights, undefined, 1);
    return change?.record.kind === 'traffic' ? change.record.split : undefined;
  };

  it.each([
    [
      { v1: 0.9, v2: 0.1 },
      { v1: 0.9, v2: 0.1 },
    ],
    [
      { v1: 3, v2: 1 },
      { v1: 0.75, v2: 0.25 },
    ],
    [
      { v1: 1, v2: 1, v3: 1 },
      { v1: 0.334, v2: 0.333, v3: 0.333 },
    ],
    [{ v1: 1, v2: 0 }, { v1: 1 }],
    [
      { v1: 1, v2: 0.000001 },
      { v1: 0.999, v2: 0.001 },
    ],
  ])('turns weights %j into shares %j', (weights, split) => {
    expect(splitOf(weights)).toEqual(split);
  });

  it.each([
    [{}, 'INVALID_ARGUMENT'],
    [{ v1: 0 }, 'INVALID_ARGUMENT'],
    [{ v1: -1, v2: 2 }, 'INVALID_ARGUMENT'],
    [{ v1: Infinity }, 'INVALID_ARGUMENT'],
    [{ v1: NaN }, 'INVALID_ARGUMENT'],
    [{ v9: 1 }, 'VERSION_NOT_FOUND'],
    [{ new: 1 }, 'VERSION_NOT_FOUND'],
    [{ constructor: 1 }, 'VERSION_NOT_FOUND'],
  ])('refuses %j', (weights, code) => {
    expect(() => splitOf(weights)).toThrow(expect.objectContaining({ code }));
  });
});

describe('a gradual move of traffic', () => {
  const state = stateWith(serving('v1'), serving('v2'), versionRecord('a', 'default', 'new'), trafficRecord('a', 'default', { v1: 1 }));
  const recordOf = (changes: readonly ControlChange[]): TrafficRecord => {
    const record = changes[0]?.record;
    if (record?.kind !== 'traffic') throw new Error('no traffic changes');
    return record;
  };
  const after = (record: TrafficRecord): RegistryState => stateWith(serving('v1'), serving('v2'), record);
  const begun = recordOf(migrationBegin(state, 'a', 'default', 'v2', { durationMs: 70_000, shardBy: 'cookie' }, 5));

  it('begins with one percent, and keeps every other visitor where he is', () => {
    expect(begun).toMatchObject({ split: { v1: 0.99, v2: 0.01 }, shardBy: 'cookie', migration: { to: 'v2', from: { v1: 1 }, steps: 1 } });
    expect(begun.buckets).toEqual([
      ['v1', 990],
      ['v2', 10],
    ]);
  });

  it('wants a version that serves, and traffic that can move', () => {
    const begin = (to: string): unknown => migrationBegin(state, 'a', 'default', to, { durationMs: 70_000 }, 5);
    expect(() => begin('new')).toThrow(expect.objectContaining({ code: 'VERSION_NOT_FOUND' }));
    expect(() => begin('v9')).toThrow(expect.objectContaining({ code: 'VERSION_NOT_FOUND' }));
    expect(() => begin('v1')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('goes on from where it stands, and not at all once somebody set the traffic', () => {
    const { migration } = begun;
    if (!migration) throw new Error('no migration');
    const next = { ...migration, steps: 2, steppedAtMs: 10 };
    const step = (from: RegistryState): ControlChange[] => migrationChanges(from, 'a', 'default', migration, next, 10);
    expect(recordOf(step(after(begun)))).toMatchObject({ split: { v1: 0.95, v2: 0.05 }, migration: { steps: 2 }, shardBy: 'cookie' });
    expect(step(after(recordOf(step(after(begun)))))).toEqual([]);
    const byHand = recordOf(trafficChanges(after(begun), 'a', 'default', { v1: 1 }, undefined, 7));
    expect(byHand).not.toHaveProperty('migration');
    expect(step(after(byHand))).toEqual([]);
    expect(runningMigrations(after(begun))).toHaveLength(1);
    expect(runningMigrations(after(byHand))).toEqual([]);
  });
});

describe('deletionChanges', () => {
  it('refuses a version with traffic', () => {
    const state = stateWith(serving('v1'), serving('v2'), trafficRecord('a', 'default', { v1: 0.9, v2: 0.1 }));
    expect(() => deletionChanges(state, 'a', 'default', 'v2')).toThrow(/gets 10 %/);
  });

  it('deletes an idle version alone', () => {
    const state = stateWith(serving('v1'), serving('v2'), trafficRecord('a', 'default', { v1: 1 }));
    expect(deletionChanges(state, 'a', 'default', 'v2').map(({ op, record: { kind } }) => [op, kind])).toEqual([['delete', 'version']]);
  });

  it('takes the app and its traffic along with its only version', () => {
    const state = stateWith(serving('v1'), trafficRecord('a', 'default', { v1: 1 }));
    expect(deletionChanges(state, 'a', 'default', 'v1').map(({ record: { kind } }) => kind)).toEqual(['version', 'traffic', 'app']);
  });
});

describe('stateOf', () => {
  it('knows shares and names what is missing', () => {
    const state = stateWith(serving('v1'), trafficRecord('a', 'default', { v1: 1 }));
    expect(shareOf(state, serving('v1'))).toBe(1);
    expect(shareOf(state, serving('v2'))).toBe(0);
    expect(() => versionIn(state, 'b', 'default', 'v1')).toThrow(expect.objectContaining({ code: 'APP_NOT_FOUND' }));
    expect(() => versionIn(state, 'a', 'default', 'v2')).toThrow(expect.objectContaining({ code: 'VERSION_NOT_FOUND' }));
  });
});
