// HTTP/1 before the calls: Node's own server, which is handed connections. First what any client may ask, then the methods.
// Read next: calls.ts.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, type Socket } from 'node:net';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type Clock, type Timers } from '../../../sdk/support/clock.ts';
import { type Log } from '../../../sdk/support/log.ts';
import { type V1Calls } from './calls.ts';
import { type V1Connection } from './connection.ts';
import { HttpSession } from './http-session.ts';
import { type V1PortLimits } from './port-limits.ts';

/** What an emulator does besides the API. */
export interface V1Surface {
  /** Throws PlatformError. Absent: refused with words that name the flags. */
  readonly reset?: () => Promise<void>;
  readonly shutdown?: () => void;
}

export interface HttpFrontOptions {
  readonly limits: V1PortLimits;
  readonly surface: V1Surface;
}

/** The port opens once the datastore has started, so whoever reaches it may use it. */
const HEALTH_PATHS = new Set(['/', '/healthz', '/readyz']);

export class HttpFront {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #sessions = new WeakMap<Socket, { readonly connection: V1Connection; readonly session: HttpSession }>();
  #isEnding = false;

  constructor(_calls: V1Calls, clock: Clock, _timers: Timers, _log: Log, _options: HttpFrontOptions) {
    this.#clock = clock;
    this.#server = createServer(
      { insecureHTTPParser: false, maxHeaderSize: LIMITS.requestHeaderBytesMax, keepAliveTimeout: 0, noDelay: true },
      (request, response) => {
        this.#serve(request, response);
      },
    );
  }

  listens(_host: string, _address: AddressInfo): void {}

  take(connection: V1Connection): void {
    const session = new HttpSession(connection, this.#clock.monotonicMs());
    connection.begin(session);
    this.#sessions.set(connection.socket, { connection, session });
    this.#server.emit('connection', connection.socket);
    connection.socket.resume();
  }

  end(): void {
    this.#isEnding = true;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const known = this.#sessions.get(request.socket);
    known?.connection.opened();
    response.once('close', () => {
      known?.session.answered();
      known?.connection.answered(this.#clock.monotonicMs());
    });
    if (this.#isEnding) response.setHeader('connection', 'close');
    request.resume();
    const isHealth = HEALTH_PATHS.has(request.url ?? '');
    response.writeHead(isHealth ? 200 : 404, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(isHealth ? 'Ok\n' : 'Not Found\n');
  }
}
