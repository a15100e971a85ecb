// What one group of processes used, told as it grows: an instance's, or a build's.
import { MEGACYCLES_PER_CPU_SECOND } from '../../sdk/contract/usage.ts';
import { type UsageMeter } from '../api/usage-meter.ts';

const MICROS_PER_SECOND = 1_000_000;
const MS_PER_SECOND = 1_000;

/** How much of a counter that only grows was not told yet, in whole units: parts are kept for the next time. */
class Growth {
  #told = 0;

  to(total: number): number {
    const whole = Math.max(this.#told, Math.floor(total));
    const grown = whole - this.#told;
    this.#told = whole;
    return grown;
  }
}

export class GroupMeter {
  readonly #appId: string;
  readonly #meter: UsageMeter;
  readonly #startedMs: number;
  readonly #megacycles = new Growth();
  readonly #seconds = new Growth();

  /** `startedMs` is monotonic. */
  constructor(appId: string, meter: UsageMeter, startedMs: number) {
    this.#appId = appId;
    this.#meter = meter;
    this.#startedMs = startedMs;
  }

  /** `cpuMicros` is all that the group used so far; undefined where the machine cannot tell. */
  cpu(cpuMicros: number | undefined): void {
    const cpuMegacycles = this.#megacycles.to(((cpuMicros ?? 0) * MEGACYCLES_PER_CPU_SECOND) / MICROS_PER_SECOND);
    if (cpuMegacycles > 0) this.#meter.add(this.#appId, { cpuMegacycles });
  }

  /** A second that has begun counts. */
  lifetime(nowMs: number): void {
    const instanceSeconds = this.#seconds.to(Math.ceil((nowMs - this.#startedMs) / MS_PER_SECOND));
    if (instanceSeconds > 0) this.#meter.add(this.#appId, { instanceSeconds });
  }
}
