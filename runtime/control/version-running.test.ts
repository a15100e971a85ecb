import { describe, expect, it } from 'vitest';
import { type Scaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { type PoolView } from '../scheduler/scheduler-view.ts';
import { runningChanges, stateOf } from './registry-state.ts';
import { versionRecord } from './sample-records.ts';
import { runningView } from './version-running.ts';

const MANUAL: Scaling = { kind: 'manual', instances: 2 };
const BASIC: Scaling = { kind: 'basic', maxInstances: 2, idleTimeoutMs: 300_000 };

const record = (scaling?: Scaling) => {
  const sample = versionRecord('shop', 'default', 'v1', { state: 'serving' });
  return scaling ? { ...sample, launch: { ...sample.launch, scaling } } : sample;
};

const change = (scaling: Scaling | undefined, asked: Parameters<typeof runningChanges>[4]) => {
  const state = stateOf([{ kind: 'app', appId: 'shop', createdAtMs: 1 }, record(scaling)]);
  return runningChanges(state, 'shop', 'default', 'v1', asked);
};

describe('runningChanges', () => {
  it('stops and starts, and sets the number of instances, each alone', () => {
    expect(change(MANUAL, { isStopped: true })).toMatchObject([{ op: 'put', record: { version: 'v1', isStopped: true } }]);
    expect(change(BASIC, { isStopped: false })).toMatchObject([{ record: { isStopped: false } }]);
    const [only] = change(MANUAL, { instances: 5 });
    expect(only?.record).toMatchObject({ instances: 5, launch: { scaling: { instances: 2 } } });
    expect(only?.record).not.toHaveProperty('isStopped');
  });

  it("refuses what the version's scaling does not have", () => {
    expect(() => change(undefined, { isStopped: true })).toThrow(/scales automatically/);
    expect(() => change(BASIC, { instances: 2 })).toThrow(/only with manual scaling/);
    expect(() => runningChanges(stateOf([]), 'shop', 'default', 'v1', {})).toThrow(/no such app/);
  });
});

describe('runningView', () => {
  const pool: PoolView = {
    ...{ appId: 'shop', service: 'default', version: 'v1', deploymentId: 'd', scaling: 'manual', isServing: true, isStopped: false },
    ...{ isDraining: false, inFlight: 0, queued: 0, headWaitMs: 0, requested: 0, instances: [], startFailures: 0 },
  };

  it('tells the scaling, the number that was set, and what is wrong', () => {
    expect(runningView(record(), undefined)).toEqual({ scaling: 'automatic', isStopped: false });
    expect(runningView({ ...record(MANUAL), instances: 7, isStopped: true }, pool)).toEqual({
      scaling: 'manual',
      isStopped: true,
      instancesWanted: 7,
    });
    expect(runningView(record(MANUAL), { ...pool, startFailures: 3, startError: 'The app exited', nextTryMs: 900 })).toMatchObject({
      instancesWanted: 2,
      trouble: { kind: 'failing', failures: 3, reason: 'The app exited', nextTryMs: 900 },
    });
    expect(runningView(record(BASIC), { ...pool, shortage: 'no memory' })).toMatchObject({
      trouble: { kind: 'no-room', reason: 'no memory' },
    });
  });
});
