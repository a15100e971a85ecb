// What a source sees between two reports that only charts need.
import { latencyBucket } from './latency-histogram.ts';
import { type AppObservations } from './usage-wire.ts';

interface Seen {
  requests: number;
  clientErrors: number;
  serverErrors: number;
  coldStarts: number;
  readonly latencies: Map<number, number>;
  instances: number;
  memoryBytes: number;
}

/** One answered request. */
export interface ObservedRequest {
  readonly status: number;
  readonly latencyMs: number;
  readonly isLoadingRequest: boolean;
}

export class Observations {
  #byApp = new Map<string, Seen>();

  get isEmpty(): boolean {
    return this.#byApp.size === 0;
  }

  request(appId: string, { status, latencyMs, isLoadingRequest }: ObservedRequest): void {
    const seen = this.#of(appId);
    seen.requests++;
    if (status >= 500) seen.serverErrors++;
    else if (status >= 400) seen.clientErrors++;
    if (isLoadingRequest) seen.coldStarts++;
    const bucket = latencyBucket(latencyMs);
    seen.latencies.set(bucket, (seen.latencies.get(bucket) ?? 0) + 1);
  }

  /** What runs of an app at this moment; the greatest of an interval is kept. */
  running(appId: string, instances: number, memoryBytes: number): void {
    const seen = this.#of(appId);
    seen.instances = Math.max(seen.instances, instances);
    seen.memoryBytes = Math.max(seen.memoryBytes, memoryBytes);
  }

  /** Everything since the last call. */
  take(): readonly AppObservations[] {
    const taken = [...this.#byApp].map(([appId, seen]) => ({ appId, ...seen, latencies: [...seen.latencies] }));
    this.#byApp = new Map();
    return taken;
  }

  #of(appId: string): Seen {
    let seen = this.#byApp.get(appId);
    if (!seen) {
      seen = { requests: 0, clientErrors: 0, serverErrors: 0, coldStarts: 0, latencies: new Map(), instances: 0, memoryBytes: 0 };
      this.#byApp.set(appId, seen);
    }
    return seen;
  }
}
