// Simulations of the platform in virtual time: traffic models, the world that they drive, and what must hold in it.
// It must not use real time or real chance: every run is told its seed and prints it.
// Read next: scheduler-world.ts, then scheduler.test.ts.
import { type Random } from '../../sdk/support/clock.ts';

export interface Arrival {
  readonly atMs: number;
  /** Each app is scheduled by itself. */
  readonly app: string;
  /** How long an instance works on it. */
  readonly serviceMs: number;
}

export interface Traffic {
  readonly name: string;
  readonly durationMs: number;
  /** When a load comes at once that is to be met, if any. */
  readonly stepAtMs?: number;
  /** In order of time. The same seed gives the same arrivals. */
  arrivals(random: Random): readonly Arrival[];
}

/** The app of traffic that has only one. */
const APP = 'simulated';

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
        if (random.fraction() * rateMax < rateAt(atMs)) arrivals.push({ atMs, app: APP, serviceMs: serviceTime(random) });
      }
      return arrivals;
    },
  };
}

/** Nothing until `atMs`, then `rate` requests a second. */
export function step(rate: number, atMs: number, durationMs: number, serviceTime: ServiceTime): Traffic {
  return { ...poisson(`step 0 → ${rate}/s`, durationMs, rate, (nowMs) => (nowMs < atMs ? 0 : rate), serviceTime), stepAtMs: atMs };
}

/** From nothing to `rate` in the first half, and back in the second. */
export function ramp(rate: number, durationMs: number, serviceTime: ServiceTime): Traffic {
  const half = durationMs / 2;
  return poisson(`ramp 0 → ${rate}/s → 0`, durationMs, rate, (nowMs) => rate * (1 - Math.abs(nowMs - half) / half), serviceTime);
}

/** `baseRate`, and `spikeRate` for `spikeMs` at the beginning of each second half of `periodMs`. */
export function spikes(
  baseRate: number,
  spikeRate: number,
  shape: { readonly spikeMs: number; readonly periodMs: number },
  durationMs: number,
  serviceTime: ServiceTime,
): Traffic {
  const half = shape.periodMs / 2;
  const rateAt = (nowMs: number): number => {
    const sinceMs = (nowMs % shape.periodMs) - half;
    return sinceMs >= 0 && sinceMs < shape.spikeMs ? spikeRate : baseRate;
  };
  return poisson(`spikes ${baseRate} → ${spikeRate}/s`, durationMs, spikeRate, rateAt, serviceTime);
}

/** A sine between a tenth of `rateMax` at its beginning and end, and `rateMax` in its middle. */
export function dailyWave(rateMax: number, durationMs: number, serviceTime: ServiceTime): Traffic {
  const rateAt = (nowMs: number): number => rateMax * (0.55 - 0.45 * Math.cos((2 * Math.PI * nowMs) / durationMs));
  return poisson(`daily wave ≤ ${rateMax}/s`, durationMs, rateMax, rateAt, serviceTime);
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
    arrivals: (random) => Array.from({ length: count }, () => ({ atMs: 1_000, app: APP, serviceMs: serviceTime(random) })),
  };
}

function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.fraction()) * mean;
}
