// `npm run simulate` in short: every trace, shortened, with the scheduler and its peers.
import { describe, expect, test } from 'vitest';
import { comparisonTable } from './comparison-table.ts';
import { compare, type Comparison, OURS } from './comparison.ts';
import { TRACES } from './traces.ts';

const SEED = 20_261;
const READY_MS = 500;
/** How much of each trace is run. */
const SHARES: Readonly<Record<string, number>> = { step: 0.2, ramp: 0.2, spike: 0.25, wave: 0.1, sparse: 0.25, csv: 0.2 };

function run(name: string, seed = SEED): Promise<Comparison> {
  const trace = TRACES[name];
  if (!trace) throw new Error(`no trace ${name}`);
  return compare(name, trace.about, trace.traffic(SHARES[name] ?? 1), { seed, readyMs: READY_MS });
}

describe.each(Object.keys(TRACES))('the trace %s', (name) => {
  test('is answered by all three without an error, and the same again from the same seed', async () => {
    const first = await run(name);
    console.log(comparisonTable([first]));
    expect(first.contenders.map(({ errors }) => errors)).toEqual([0, 0, 0]);
    expect(first.contenders.every(({ requests }) => requests > 50)).toBe(true);
    expect(comparisonTable([await run(name)])).toBe(comparisonTable([first]));
  });
});

test('another seed gives other figures', async () => {
  expect(comparisonTable([await run('step', SEED + 1)])).not.toBe(comparisonTable([await run('step')]));
});

test('ours settles after a step within the budget of three seconds', async () => {
  const { contenders } = await run('step');
  expect(contenders.find(({ name }) => name === OURS)?.settledMs).toBeLessThanOrEqual(3_000);
});
