import { once } from 'node:events';
import { type Response } from 'express';
import { type Cancel, type Timers } from '../sdk/support/clock.ts';

/** Well below what clients and proxies wait for the next byte; readers skip empty lines. */
const HEARTBEAT_MS = 15_000;

/** An answer of newline-delimited JSON, open-ended. The status is sent with the first line, so that it can still be an error before. */
export class NdjsonStream {
  readonly #response: Response;
  readonly #timers: Timers;
  readonly #abort = new AbortController();
  #cancelHeartbeat: Cancel | undefined;

  constructor(response: Response, timers: Timers) {
    this.#response = response;
    this.#timers = timers;
    response.once('close', () => {
      this.#cancelHeartbeat?.();
      this.#abort.abort();
    });
  }

  /** Aborts when the reader has gone, or the answer is complete. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isOpen(): boolean {
    return this.#response.headersSent;
  }

  /** Sends the status and no line yet. */
  open(): void {
    if (this.#response.headersSent) return;
    this.#response.status(200).set({ 'Content-Type': 'application/x-ndjson; charset=utf-8', 'Cache-Control': 'no-store' });
    this.#response.flushHeaders();
    this.#cancelHeartbeat = this.#timers.every(HEARTBEAT_MS, () => {
      this.#response.write('\n');
    });
  }

  /** Sends one line without waiting: for events whose number is bounded. */
  send(value: unknown): void {
    this.open();
    if (!this.signal.aborted) this.#response.write(`${JSON.stringify(value)}\n`);
  }

  /** Sends one line; resolves when the reader keeps up. */
  write(value: unknown): Promise<void> {
    return this.writeAll([value]);
  }

  /** Sends lines in one piece; resolves when the reader keeps up. */
  async writeAll(values: readonly unknown[]): Promise<void> {
    this.open();
    if (this.signal.aborted || this.#response.write(values.map((value) => `${JSON.stringify(value)}\n`).join(''))) return;
    await once(this.#response, 'drain', { signal: this.signal }).catch(() => undefined);
  }

  end(): void {
    this.open();
    this.#response.end();
  }
}
