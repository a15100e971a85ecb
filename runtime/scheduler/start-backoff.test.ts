import { describe, expect, it } from 'vitest';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { StartBackoff } from './start-backoff.ts';
import { failureOfRefusal } from './start-failure.ts';

const FAILURE = failureOfRefusal(new PlatformError('INSTANCE_SPAWN_FAILED'));

describe('StartBackoff', () => {
  it('waits a second, doubling to a minute, with at most a tenth more', () => {
    const backoff = new StartBackoff(new SeededRandom(1));
    let nowMs = 0;
    for (const wantMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      backoff.fail(FAILURE, nowMs);
      expect(backoff.untilMs - nowMs).toBeGreaterThanOrEqual(wantMs);
      expect(backoff.untilMs - nowMs).toBeLessThanOrEqual(wantMs * 1.1);
      nowMs = backoff.untilMs;
    }
  });

  it('counts starts that fail together once', () => {
    const backoff = new StartBackoff(new SeededRandom(1));
    backoff.fail(FAILURE, 0);
    backoff.fail(FAILURE, 5);
    expect(backoff.failures).toBe(1);
  });

  it('begins anew after a success', () => {
    const backoff = new StartBackoff(new SeededRandom(1));
    backoff.fail(FAILURE, 0);
    backoff.succeed();
    expect(backoff).toMatchObject({ failures: 0, failure: undefined, untilMs: -Infinity });
  });
});
