// Simulations of the platform in virtual time: traffic models, the world that they drive, and what must hold in it.
// It must not use real time or real chance: every run is told its seed and prints it.
// Read next: scheduler-world.ts, then scheduler.test.ts.
import { type Random } from '../../sdk/support/clock.ts';

export interface Arrival {
  readonly atMs: number;
  /** How long an instance works on it. */
  readonly serviceMs: number;
}

export interface Traffic {
  readonly name: string;
  readonly durationMs: number;
  /** In order of time. The same seed gives the same arrivals. */
  arrivals(random: Random): readonly Arrival[];
}

export type ServiceTime = (random: Random) => number;

export const constantService =
  (serviceMs: number): ServiceTime =>
  () =>
    serviceMs;

export const exponentialService =
  (meanMs: number): ServiceTime =>
  (random) =>
    exponential(random, meanMs);

/**
 * A Poisson process whose rate changes in time, by thinning: arrivals at the highest rate, of which each is kept with the
 * chance of the rate at its time (Lewis and Shedler, 1979).
 */
export function poisson(
  name: string,
  durationMs: number,
  rateMax: number,
  rateAt: (atMs: number) => number,
  serviceTime: ServiceTime,
): Traffic {
  return {
    name,
    durationMs,
    arrivals: (random) => {
      const arrivals: Arrival[] = [];
      for (let atMs = exponential(random, 1_000 / rateMax); atMs < durationMs; atMs += exponential(random, 1_000 / rateMax)) {
        if (random.fraction() * rateMax < rateAt(atMs)) arrivals.push({ atMs, serviceMs: serviceTime(random) });
      }
      return arrivals;
    },
  };
}

/** Nothing until `atMs`, then `rate` requests a second. */
export function step(rate: number, atMs: number, durationMs: number, serviceTime: ServiceTime): Traffic {
  return poisson(`step 0 → ${rate}/s`, durationMs, rate, (nowMs) => (nowMs < atMs ? 0 : rate), serviceTime);
}

/** From nothing to `rate` in the first half, and back in the second. */
export function ramp(rate: number, durationMs: number, serviceTime: ServiceTime): Traffic {
  const half = durationMs / 2;
  return poisson(`ramp 0 → ${rate}/s → 0`, durationMs, rate, (nowMs) => rate * (1 - Math.abs(nowMs - half) / half), serviceTime);
}

/** One request now and then. */
export function sparse(meanGapMs: number, durationMs: number, serviceTime: ServiceTime): Traffic {
  const rate = 1_000 / meanGapMs;
  return poisson(`one in ${meanGapMs / 1_000} s`, durationMs, rate, () => rate, serviceTime);
}

/** `count` requests at the same moment, to a version without an instance. */
export function burst(count: number, durationMs: number, serviceTime: ServiceTime): Traffic {
  return {
    name: `burst of ${count}`,
    durationMs,
    arrivals: (random) => Array.from({ length: count }, () => ({ atMs: 1_000, serviceMs: serviceTime(random) })),
  };
}

function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.fraction()) * mean;
}
