// How fast calls are answered by so many clients, and how long each waits.

export interface Measured {
  readonly perSecond: number;
  readonly calls: number;
  /** Milliseconds, by the name of the operation. */
  readonly latency: Readonly<Record<string, Latency>>;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

export interface Bounds {
  readonly clients: number;
  readonly callsMax: number;
  readonly msMax: number;
}

/** `call` makes the call of that number and returns the name of what it did. Each client makes one call after the other. */
export async function measure({ clients, callsMax, msMax }: Bounds, call: (number: number) => Promise<string>): Promise<Measured> {
  const taken = new Map<string, number[]>();
  const startMs = performance.now();
  let next = 0;
  let calls = 0;
  const client = async (): Promise<void> => {
    while (next < callsMax) {
      const beganMs = performance.now();
      if (beganMs - startMs > msMax) return;
      const name = await call(next++);
      calls++;
      let times = taken.get(name);
      if (!times) taken.set(name, (times = []));
      times.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const perSecond = (calls * 1_000) / (performance.now() - startMs);
  return { perSecond, calls, latency: Object.fromEntries([...taken].map(([name, times]) => [name, latencyOf(times)])) };
}

/** `p50 0.12 ms, p99 3.4 ms`. */
export function latencyText({ p50, p99 }: Latency): string {
  return `p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)} ms`;
}

function latencyOf(times: number[]): Latency {
  times.sort((left, right) => left - right);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

function milliseconds(value: number): string {
  return value >= 10 ? String(Math.round(value)) : value.toPrecision(2);
}
