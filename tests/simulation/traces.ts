import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseInvocationCsv } from './invocation-csv.ts';
import { constantService, dailyWave, exponentialService, ramp, sparse, spikes, step, type Traffic } from './traffic.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

export interface Trace {
  readonly about: string;
  /** The whole of it, or a part of so many times its length. */
  readonly traffic: (share: number) => Traffic;
}

/** Made by hand: apps that are steady, follow the day, come in batches, every so many minutes, or hardly ever. */
export const SYNTHETIC_CSV = join(import.meta.dirname, 'traces', 'synthetic-minutes.csv');

export const TRACES: Readonly<Record<string, Trace>> = {
  step: {
    about: 'nothing, then 200 requests/s of 100 ms at once, for 5 minutes',
    traffic: (share) => step(200, 10 * SECOND_MS, share * 5 * MINUTE_MS + 10 * SECOND_MS, constantService(100)),
  },
  quick: {
    about: 'nothing, then 200 requests/s of 2 ms at once, for a minute: one instance is enough',
    traffic: (share) => step(200, 10 * SECOND_MS, share * MINUTE_MS + 10 * SECOND_MS, constantService(2)),
  },
  ramp: {
    about: 'from nothing to 150 requests/s of some 100 ms in 5 minutes, and back',
    traffic: (share) => ramp(150, share * 10 * MINUTE_MS, exponentialService(100)),
  },
  spike: {
    about: '5 requests/s of some 100 ms, and 150/s for 15 s every 5 minutes, for 20 minutes',
    traffic: (share) =>
      spikes(5, 150, { spikeMs: 15 * SECOND_MS, periodMs: 5 * MINUTE_MS }, share * 20 * MINUTE_MS, exponentialService(100)),
  },
  wave: {
    about: 'a day in 2 hours: 2 to 20 requests/s of some 400 ms',
    traffic: (share) => dailyWave(20, share * 2 * HOUR_MS, exponentialService(400)),
  },
  sparse: {
    about: 'a request of 100 ms in 4 minutes, for 24 hours',
    traffic: (share) => sparse(4 * MINUTE_MS, share * 24 * HOUR_MS, constantService(100)),
  },
  csv: {
    about: 'traces/synthetic-minutes.csv: seven apps of every kind, for 4 hours',
    traffic: (share) => begin(parseInvocationCsv('synthetic CSV', readFileSync(SYNTHETIC_CSV, 'utf8'), exponentialService(100)), share),
  },
};

function begin(traffic: Traffic, share: number): Traffic {
  const durationMs = traffic.durationMs * share;
  return { ...traffic, durationMs, arrivals: (random) => traffic.arrivals(random).filter(({ atMs }) => atMs < durationMs) };
}
