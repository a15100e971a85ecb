// The newest route table, and the short wait for the first one after a start.
import { type Timers } from '../sdk/support/clock.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Log } from '../sdk/support/log.ts';
import { type RouteTableSource, type Unsubscribe } from './ports.ts';
import { RouteTable } from './route-table.ts';

export class CurrentRoutes {
  readonly #source: RouteTableSource;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #domain: string;
  readonly #waiting = new Set<(table: RouteTable) => void>();
  #table: RouteTable | undefined;
  #unsubscribe: Unsubscribe | undefined;

  constructor(source: RouteTableSource, timers: Timers, log: Log, options: { readonly domain: string }) {
    this.#source = source;
    this.#timers = timers;
    this.#log = log;
    this.#domain = options.domain;
  }

  get table(): RouteTable | undefined {
    return this.#table;
  }

  start(): void {
    this.#unsubscribe = this.#source.watch((spec) => {
      if (this.#table && spec.revision < this.#table.revision) return;
      const table = new RouteTable(spec, this.#domain);
      for (const problem of table.problems) this.#log.error('A version cannot be served', { problem });
      this.#table = table;
      for (const resume of [...this.#waiting]) resume(table);
    });
  }

  close(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  /** Throws ROUTE_STARTING when no table comes in time, or the signal's reason. */
  first(options: { readonly signal: AbortSignal }): Promise<RouteTable> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (this.#table) {
        resolve(this.#table);
        return;
      }
      const settle = (action: () => void): void => {
        cancel();
        this.#waiting.delete(onTable);
        signal.removeEventListener('abort', onAbort);
        action();
      };
      const onTable = (table: RouteTable): void => {
        settle(() => {
          resolve(table);
        });
      };
      const onAbort = (): void => {
        settle(() => {
          reject(signal.reason as Error);
        });
      };
      const cancel = this.#timers.after(LIMITS.routeTableWaitMs, () => {
        settle(() => {
          reject(new PlatformError('ROUTE_STARTING'));
        });
      });
      this.#waiting.add(onTable);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }
}
