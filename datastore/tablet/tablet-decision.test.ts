import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { KeySample } from './key-sample.ts';
import { cutReason, isSampled, loadCut, shareAbove, shouldMerge, type TabletFacts, type TabletRules } from './tablet-decision.ts';

const RULES: TabletRules = { splitBytes: 1_000, rowsPerMinuteMax: 100, coolDownMs: 50, coldMs: 100 };
const facts = (given: Partial<TabletFacts>): TabletFacts => ({ bytes: 100, perMinute: 0, changedAtMs: 0, coldSinceMs: 0, ...given });
const keys = (...parts: readonly (readonly [key: string, times: number])[]): readonly Buffer[] =>
  parts.flatMap(([key, times]) => Array.from({ length: times }, () => Buffer.from(key)));

describe('when a tablet is cut', () => {
  it.each([
    ['small and idle', {}, undefined],
    ['at the size', { bytes: 1_000 }, undefined],
    ['over the size', { bytes: 1_001 }, 'bytes'],
    ['over the size, just cut', { bytes: 1_001, changedAtMs: 199 }, 'bytes'],
    ['as busy as allowed', { perMinute: 100 }, undefined],
    ['busier', { perMinute: 101 }, 'load'],
    ['busier, just cut', { perMinute: 101, changedAtMs: 151 }, undefined],
    ['busier, cut a while ago', { perMinute: 101, changedAtMs: 150 }, 'load'],
  ] as const)('%s', (_, given, reason) => {
    expect(cutReason(facts(given), RULES, 200)).toBe(reason);
  });

  it('has sampled its keys by then', () => {
    expect([50, 51].map((perMinute) => isSampled({ perMinute }, RULES))).toEqual([false, true]);
  });
});

describe('where a busy tablet is cut', () => {
  const start = Buffer.from('a');
  it.each([
    ['too few keys', keys(['b', 63]), { kind: 'few-keys' }],
    ['evenly', keys(['b', 25], ['c', 25], ['d', 25], ['e', 25]), { kind: 'cut', at: 'd', rightShare: 0.5 }],
    ['before a median that weighs much', keys(['b', 30], ['c', 45], ['d', 25]), { kind: 'cut', at: 'c', rightShare: 0.7 }],
    ['behind it, if that divides better', keys(['b', 20], ['c', 45], ['d', 35]), { kind: 'cut', at: 'd', rightShare: 0.35 }],
    ['not for one key', keys(['c', 100]), { kind: 'one-key' }],
    ['not for one key and few others', keys(['b', 19], ['c', 62], ['d', 19]), { kind: 'one-key' }],
    ['never at its own start', keys(['a', 100]), { kind: 'one-key' }],
    ['behind a start that weighs much', keys(['a', 60], ['b', 40]), { kind: 'cut', at: 'b', rightShare: 0.4 }],
  ] as const)('%s', (_, sample, wanted) => {
    const cut = loadCut(start, sample);
    expect(cut.kind === 'cut' ? { ...cut, at: cut.at.toString() } : cut).toEqual(wanted);
  });

  it('takes a fair sample of what it counts, and little of it', () => {
    const sample = new KeySample(new SeededRandom(7));
    for (let at = 0; at < 100_000; at++) sample.count(Buffer.from([at % 4]), 1);
    expect(sample.keys).toHaveLength(128);
    for (let key = 0; key < 4; key++) expect(sample.keys.filter(([first]) => first === key).length).toBeGreaterThan(15);
    expect(shareAbove(Buffer.from([2]), sample.keys)).toBeGreaterThan(0.3);
    expect(shareAbove(Buffer.from([2]), [])).toBe(0.5);
  });
});

describe('when neighbours become one', () => {
  it.each([
    ['small and cold', {}, {}, true],
    ['together at a quarter of the size', { bytes: 150 }, {}, true],
    ['together over it', { bytes: 151 }, {}, false],
    ['one a little warm', { perMinute: 2 }, {}, false],
    ['the other a little warm', {}, { perMinute: 2 }, false],
    ['one cold since shortly', { coldSinceMs: 101 }, {}, false],
    ['the other cut shortly before', {}, { changedAtMs: 151 }, false],
  ] as const)('%s', (_, left, right, merges) => {
    expect(shouldMerge(facts(left), facts(right), RULES, 200)).toBe(merges);
  });

  it('leaves what a merge makes far from a cut, and what a cut makes far from a merge', () => {
    const merged = facts({ bytes: 250, perMinute: 2 });
    expect(cutReason(merged, RULES, 1_000)).toBeUndefined();
    const half = facts({ bytes: 501 });
    expect(shouldMerge(half, half, RULES, 1_000)).toBe(false);
  });
});
