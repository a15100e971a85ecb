// How much of an instance's CPU time each request took: an estimate, since an app serves many requests at once and the machine
// counts the instance alone. What an instance used between two readings is shared among the requests that it had in between,
// by how long each was in flight. A row waits for the next reading, a tenth of a second; metrics and metering do not.
import { type RequestLogRow, type RequestLogSink } from '../../router/ports.ts';
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type ReadInstanceCpu } from '../host/instance-cpu.ts';

/** Takes a row with what its request is estimated to have taken. */
export interface CpuRowSink {
  write(row: RequestLogRow, cpuMs?: number): void;
}

const HOLD_MS = 100;
const MICROS_PER_MS = 1_000;
/** Readings remembered of an instance; a request that began before gets no estimate. */
const WINDOWS_MAX = 600;
/** An instance that nobody asked for so long has most likely ended. */
const FORGET_MS = 600_000;

interface Window {
  readonly fromMs: number;
  readonly toMs: number;
  /** CPU milliseconds for each millisecond that a request was in flight. */
  readonly rate: number;
}

interface Reading {
  readonly atMs: number;
  readonly cpuMicros: number;
  readonly busyMs: number;
  readonly windows: Window[];
}

interface Held {
  readonly row: RequestLogRow;
  readonly endMs: number;
}

export class RequestCpu implements RequestLogSink {
  readonly #next: CpuRowSink;
  readonly #read: ReadInstanceCpu;
  readonly #busyMs: (instanceId: string) => number | undefined;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #readings = new Map<string, Reading>();
  #held: Held[] = [];
  /** Rows of the reading that is under way: one at a time, so that a slow host holds no more rows than there may be. */
  #asking: readonly Held[] = [];
  #cancel: Cancel | undefined;
  #isClosed = false;

  /** `busyMs`: how long the requests of an instance were in flight so far, all together; undefined when it is not known. */
  constructor(next: CpuRowSink, read: ReadInstanceCpu, busyMs: (instanceId: string) => number | undefined, clock: Clock, timers: Timers) {
    this.#next = next;
    this.#read = read;
    this.#busyMs = busyMs;
    this.#clock = clock;
    this.#timers = timers;
  }

  write(row: RequestLogRow): void {
    if (row.instanceId === undefined || this.#isClosed || this.#held.length >= LIMITS.requestLogHeldMax) {
      this.#next.write(row);
      return;
    }
    this.#held.push({ row, endMs: this.#clock.monotonicMs() });
    if (this.#asking.length === 0) this.#schedule();
  }

  /** Lets everything go that waits, without estimates. */
  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    for (const { row } of [...this.#asking, ...this.#held]) this.#next.write(row);
    this.#held = [];
  }

  #schedule(): void {
    this.#cancel ??= this.#timers.after(HOLD_MS, () => void this.#pass());
  }

  async #pass(): Promise<void> {
    this.#cancel = undefined;
    const held = this.#held;
    this.#asking = held;
    this.#held = [];
    const asked = new Set<string>();
    for (const { row } of held) asked.add(row.instanceId ?? '');
    const ids = [...asked].slice(0, LIMITS.instancesPerHostMax);
    const cpuMicros = await this.#read(ids).catch(() => new Map<string, number>());
    // Then these rows have gone already.
    if (this.#isClosed) return;
    const nowMs = this.#clock.monotonicMs();
    for (const id of ids) this.#take(id, cpuMicros.get(id), nowMs, held);
    for (const each of held) this.#next.write(each.row, this.#estimate(each));
    for (const [id, { atMs }] of this.#readings) if (nowMs - atMs > FORGET_MS) this.#readings.delete(id);
    this.#asking = [];
    if (this.#held.length > 0) this.#schedule();
  }

  #take(id: string, cpuMicros: number | undefined, atMs: number, held: readonly Held[]): void {
    const busyMs = this.#busyMs(id);
    if (cpuMicros === undefined || busyMs === undefined) return;
    const before = this.#readings.get(id) ?? firstReading(id, held);
    const windows = before?.windows ?? [];
    if (before) {
      const busy = busyMs - before.busyMs;
      const rate = busy > 0 ? (cpuMicros - before.cpuMicros) / MICROS_PER_MS / busy : 0;
      windows.push({ fromMs: before.atMs, toMs: atMs, rate });
      if (windows.length > WINDOWS_MAX) windows.shift();
    }
    this.#readings.set(id, { atMs, cpuMicros, busyMs, windows });
  }

  #estimate({ row, endMs }: Held): number | undefined {
    const windows = this.#readings.get(row.instanceId ?? '')?.windows ?? [];
    const startMs = endMs - row.latencyMs + row.pendingMs;
    const [first] = windows;
    if (!first || startMs < first.fromMs) return undefined;
    let cpuMs = 0;
    for (let index = windows.length - 1; index >= 0; index--) {
      const window = windows[index];
      if (!window || window.toMs <= startMs) break;
      cpuMs += window.rate * Math.max(0, Math.min(endMs, window.toMs) - Math.max(startMs, window.fromMs));
    }
    return Math.round(cpuMs * MICROS_PER_MS) / MICROS_PER_MS;
  }
}

/** An instance's own first request is put down what its start took; of others nobody knows what was before. */
function firstReading(id: string, held: readonly Held[]): Reading | undefined {
  const loading = held.find(({ row }) => row.instanceId === id && row.isLoadingRequest);
  return loading && { atMs: loading.endMs - loading.row.latencyMs, cpuMicros: 0, busyMs: 0, windows: [] };
}
