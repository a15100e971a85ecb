/** Time constant of the mean: the seconds of compiling after a start must not look like load. */
const MEAN_MS = 5_000;
const BUCKET_MS = 1_000;

interface Reading {
  cpuMicros: number;
  atMs: number;
  utilization: number;
}

/**
 * How much of their class's CPU the ready instances of one version use: 1 is all of one instance's share. Fed with what
 * the host reads from the control groups about once a second. Times are monotonic milliseconds.
 */
export class CpuMeter {
  readonly #readings = new Map<string, Reading>();
  readonly #peaks: number[];
  #bucket = 0;

  /** Peaks are those of the last `windowMs`. */
  constructor(windowMs: number) {
    this.#peaks = new Array<number>(windowMs / BUCKET_MS).fill(0);
  }

  /** What one instance has used so far; `cores` is its class's share of the machine. Its utilization now. */
  read(id: string, cpuMicros: number, cores: number, nowMs: number): number {
    const before = this.#readings.get(id);
    if (!before) {
      // What it used until now was its start.
      this.#readings.set(id, { cpuMicros, atMs: nowMs, utilization: 0 });
      return 0;
    }
    const elapsedMs = nowMs - before.atMs;
    if (elapsedMs <= 0) return before.utilization;
    const now = Math.max(0, cpuMicros - before.cpuMicros) / 1_000 / elapsedMs / cores;
    before.utilization = now + (before.utilization - now) * Math.exp(-elapsedMs / MEAN_MS);
    before.cpuMicros = cpuMicros;
    before.atMs = nowMs;
    this.#raise(nowMs);
    return before.utilization;
  }

  forget(id: string): void {
    this.#readings.delete(id);
  }

  /** Utilizations of all instances together; undefined when none was read twice, as where the machine cannot tell. */
  get sum(): number | undefined {
    let sum: number | undefined;
    for (const { utilization } of this.#readings.values()) sum = (sum ?? 0) + utilization;
    return sum;
  }

  /** The most that `sum` was within the window. */
  peak(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(...this.#peaks);
  }

  #raise(nowMs: number): void {
    this.#turn(nowMs);
    const place = this.#bucket % this.#peaks.length;
    this.#peaks[place] = Math.max(this.#peaks[place] ?? 0, this.sum ?? 0);
  }

  #turn(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    const passed = Math.min(this.#peaks.length, bucket - this.#bucket);
    for (let step = 0; step < passed; step++) this.#peaks[(bucket - step) % this.#peaks.length] = 0;
    this.#bucket = Math.max(this.#bucket, bucket);
  }
}
