// What a tablet's reads and writes were and are: minutes of the last day for people, a running average for decisions.
import { LoadHistory } from './load-history.ts';
import { type KeySample } from './key-sample.ts';

/** How long a load must last to show in the average: after this time by two thirds, after three times as much nearly whole. */
const AVERAGE_MS = 120_000;
const MINUTE_MS = 60_000;

export class TabletLoad {
  readonly history: LoadHistory;
  /** While the tablet is busy. */
  sample: KeySample | undefined;
  /** When the tablet was cut or merged, or found not to be worth it. */
  changedAtMs: number;
  /** Since when nearly nothing happens in it. */
  coldSinceMs: number;
  #perMinute: number;
  #readsSeen = 0;
  #writesSeen = 0;

  /** `atMs` and all times here are of the monotonic clock. */
  constructor(atMs: number, options: { readonly history?: LoadHistory; readonly perMinute?: number } = {}) {
    this.history = options.history ?? new LoadHistory();
    this.#perMinute = options.perMinute ?? 0;
    this.changedAtMs = atMs;
    this.coldSinceMs = atMs;
  }

  /** Rows read and written in a minute, averaged over the last ones. */
  get perMinute(): number {
    return this.#perMinute;
  }

  /** Takes the counts up to now; `elapsedMs` have passed since the last time. */
  gather(minute: number, reads: number, writes: number, elapsedMs: number): void {
    const [newReads, newWrites] = [reads - this.#readsSeen, writes - this.#writesSeen];
    this.#readsSeen = reads;
    this.#writesSeen = writes;
    this.history.add(minute, newReads, newWrites);
    if (elapsedMs <= 0) return;
    const now = ((newReads + newWrites) * MINUTE_MS) / elapsedMs;
    this.#perMinute += (now - this.#perMinute) * (1 - Math.exp(-elapsedMs / AVERAGE_MS));
  }

  /** The load of a right side that is cut off with `share` of it. */
  divide(share: number, atMs: number): TabletLoad {
    const right = new TabletLoad(atMs, { history: this.history.divide(share), perMinute: this.#perMinute * share });
    this.#perMinute -= right.#perMinute;
    this.changedAtMs = atMs;
    this.sample = undefined;
    return right;
  }

  absorb(other: TabletLoad, atMs: number): void {
    this.history.absorb(other.history);
    this.#perMinute += other.#perMinute;
    this.#readsSeen += other.#readsSeen;
    this.#writesSeen += other.#writesSeen;
    this.changedAtMs = atMs;
    this.sample = undefined;
  }
}
