import { createServer, type Server } from 'node:http';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Timers } from '../sdk/support/clock.ts';
import { type Log } from '../sdk/support/log.ts';
import { type ConsoleApis, type ConsoleOptions, createConsoleApp } from './console-app.ts';

/** One upload of deployFileBytesMax over a slow line. */
const REQUEST_MS_MAX = 600_000;
const CONNECTIONS_MAX = 500;
/** How long answers under way may take once the server closes. */
const CLOSE_GRACE_MS = 1_000;

/** Listens for the console and the admin API, on a port that serves nothing else. */
export class ConsoleServer {
  readonly #server: Server;
  readonly #timers: Timers;

  constructor(apis: ConsoleApis, timers: Timers, log: Log, options: ConsoleOptions) {
    const app = createConsoleApp(apis, timers, log, options);
    this.#timers = timers;
    this.#server = createServer({ maxHeaderSize: LIMITS.requestHeaderBytesMax }, (request, response) => void app(request, response));
    this.#server.headersTimeout = LIMITS.requestHeaderMs;
    this.#server.requestTimeout = REQUEST_MS_MAX;
    this.#server.maxHeadersCount = LIMITS.requestHeadersMax;
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Port that it listens on; 0 before `start`. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Port 0 picks a free one. Throws PORT_BUSY. */
  start(options: { readonly host: string; readonly port: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      const onError = (cause: NodeJS.ErrnoException): void => {
        const isBusy = cause.code === 'EADDRINUSE' || cause.code === 'EACCES';
        const reason = `${options.host}:${options.port} (${cause.code ?? cause.message})`;
        reject(isBusy ? new PlatformError('PORT_BUSY', reason, { details: { flag: '--console-port' }, cause }) : cause);
      };
      this.#server.once('error', onError);
      this.#server.listen({ host: options.host, port: options.port }, () => {
        this.#server.off('error', onError);
        resolve();
      });
    });
  }

  /** Lets answers under way end for a moment, then cuts them: a followed log would never end by itself. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.#server.closeIdleConnections();
    const cancel = this.#timers.after(CLOSE_GRACE_MS, () => {
      this.#server.closeAllConnections();
    });
    await closed;
    cancel();
  }
}
