// Steady load on the guestbook, open loop: requests start on time whether or not earlier ones have ended.
import { type PlatformProcess } from './platform-process.ts';

export interface Sample {
  readonly kind: 'read' | 'write';
  readonly startedMs: number;
  readonly endedMs: number;
  /** 0 when no response came. */
  readonly status: number;
  readonly ok: boolean;
  readonly problem: string;
}

export interface LoadOptions {
  readonly app: string;
  readonly perSecond: number;
  /** One request in this many is a write. */
  readonly writeEvery: number;
}

export class GuestbookLoad {
  readonly samples: Sample[] = [];
  /** Contents whose POST was answered with the redirect. */
  readonly acknowledged: string[] = [];
  readonly #platform: PlatformProcess;
  readonly #options: LoadOptions;
  readonly #open = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(platform: PlatformProcess, options: LoadOptions) {
    this.#platform = platform;
    this.#options = options;
  }

  start(): void {
    const startMs = performance.now();
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startMs) * this.#options.perSecond) / 1000);
      while (this.#sent < due) this.#send(this.#sent++);
    }, 5);
  }

  /** Stops sending and waits for every answer. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.settled();
  }

  /** Waits until what is under way now has been answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }

  /** Those that ended after `fromMs`, so also those that were under way then. */
  since(fromMs: number): Sample[] {
    return this.samples.filter((sample) => sample.endedMs >= fromMs);
  }

  /** Those that started within the span, ends excluded. */
  between(fromMs: number, toMs: number): Sample[] {
    return this.samples.filter((sample) => sample.startedMs >= fromMs && sample.startedMs < toMs);
  }

  #send(number: number): void {
    const kind = number % this.#options.writeEvery === 0 ? 'write' : 'read';
    const open = this.#exchange(kind, `acknowledged greeting ${number} of process ${process.pid}`).finally(() => this.#open.delete(open));
    this.#open.add(open);
  }

  async #exchange(kind: 'read' | 'write', content: string): Promise<void> {
    const startedMs = performance.now();
    let status = 0;
    let problem = '';
    try {
      const answer =
        kind === 'write'
          ? await this.#platform.http(this.#options.app, '/sign', { form: { author: 'load', content } })
          : await this.#platform.http(this.#options.app, '/');
      status = answer.status;
      if (status !== 200 && status !== 303) problem = answer.text.replaceAll(/\s+/g, ' ').slice(0, 200);
    } catch (error) {
      problem = String(error);
    }
    const ok = status === (kind === 'write' ? 303 : 200);
    if (ok && kind === 'write') this.acknowledged.push(content);
    this.samples.push({ kind, startedMs, endedMs: performance.now(), status, ok, problem });
  }
}
