// `npm run simulate` in short: every trace, shortened, with the scheduler and its peers.
import { describe, expect, test } from 'vitest';
import { comparisonTable } from './comparison-table.ts';
import { compare, type Comparison, LEVEL_SHARE } from './comparison.ts';
import { TRACES } from './traces.ts';

const SEED = 20_261;
const READY_MS = 500;
/** How much of each trace is run. */
const SHARES: Readonly<Record<string, number>> = { step: 0.2, quick: 1, ramp: 0.2, spike: 0.25, wave: 0.1, sparse: 0.25, csv: 0.2 };

/** In the others Knative is cheaper; docs/scaling.md says why. */
const LEVEL_WITH_KNATIVE: ReadonlySet<string> = new Set(['step', 'quick', 'spike', 'wave']);

function run(name: string, seed = SEED): Promise<Comparison> {
  const trace = TRACES[name];
  if (!trace) throw new Error(`no trace ${name}`);
  return compare(name, trace.about, trace.traffic(SHARES[name] ?? 1), { seed, readyMs: READY_MS });
}

describe.each(Object.keys(TRACES))('the trace %s', (name) => {
  test('is answered by all three without an error, and ours is level where it is said to be', async () => {
    const first = await run(name);
    console.log(comparisonTable([first]));
    expect(first.contenders.map(({ errors }) => errors)).toEqual([0, 0, 0]);
    expect(first.contenders.every(({ requests }) => requests > 50)).toBe(true);
    expectLevel(first);
  });
});

/** Whatever the trace: no slower than Knative, and no dearer than dev_appserver. */
function expectLevel({ trace, contenders }: Comparison): void {
  const [ours, knative, devAppServer] = contenders;
  if (!ours || !knative || !devAppServer) throw new Error('three contenders');
  expect(ours.p99Ms, `p99 on ${trace}`).toBeLessThanOrEqual(knative.p99Ms * LEVEL_SHARE);
  expect(ours.instanceSeconds, `instance-seconds on ${trace}`).toBeLessThanOrEqual(devAppServer.instanceSeconds * LEVEL_SHARE);
  // The budget of a step.
  expect(ours.settledMs ?? 0, `settling on ${trace}`).toBeLessThanOrEqual(3_000);
  if (!LEVEL_WITH_KNATIVE.has(trace)) return;
  expect(ours.instanceSeconds, `instance-seconds on ${trace}`).toBeLessThanOrEqual(knative.instanceSeconds * LEVEL_SHARE);
}

test.each(['spike', 'sparse'])('the same seed gives the same figures on %s, another seed others', async (name) => {
  const [first, second, other] = [await run(name), await run(name), await run(name, SEED + 1)];
  expect(second).toEqual(first);
  expect(other.contenders).not.toEqual(first.contenders);
});
