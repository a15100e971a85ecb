// Stored data over time: bytes times the hours that they lie there, by the monotonic clock.
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type UsageMeter } from '../api/usage-meter.ts';
import { isPlatformApp } from '../host/instance.ts';

/** Each sample makes a usage row for each app that has data, so an app that rests shall have few. */
const SAMPLE_MS = 900_000;
const MS_PER_HOUR = 3_600_000;

export class StoredDataMeter {
  readonly #storedBytes: () => ReadonlyMap<string, number>;
  readonly #meter: UsageMeter;
  readonly #clock: Clock;
  readonly #timers: Timers;
  /** Parts of a byte-hour that were not told yet. */
  readonly #parts = new Map<string, number>();
  #sampledMs = 0;
  #cancel: Cancel = () => undefined;

  /** `storedBytes` says what each app's data takes at this moment. */
  constructor(storedBytes: () => ReadonlyMap<string, number>, meter: UsageMeter, clock: Clock, timers: Timers) {
    this.#storedBytes = storedBytes;
    this.#meter = meter;
    this.#clock = clock;
    this.#timers = timers;
  }

  start(): void {
    this.#sampledMs = this.#clock.monotonicMs();
    this.#cancel = this.#timers.every(SAMPLE_MS, () => {
      this.#sample();
    });
  }

  close(): void {
    this.#cancel();
    this.#sample();
  }

  #sample(): void {
    const nowMs = this.#clock.monotonicMs();
    const hours = (nowMs - this.#sampledMs) / MS_PER_HOUR;
    this.#sampledMs = nowMs;
    for (const [appId, bytes] of this.#storedBytes()) {
      if (isPlatformApp(appId) || bytes <= 0) continue;
      const byteHours = bytes * hours + (this.#parts.get(appId) ?? 0);
      const storedByteHours = Math.floor(byteHours);
      this.#parts.set(appId, byteHours - storedByteHours);
      if (storedByteHours > 0) this.#meter.add(appId, { storedByteHours });
    }
  }
}
