// The router's front door: Node's HTTP server made strict, and everything behind it put together.
import { chmod, rm } from 'node:fs/promises';
import { Server, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { CloseStack } from '../sdk/support/close-stack.ts';
import { type Clock, type Random, type Timers } from '../sdk/support/clock.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Log } from '../sdk/support/log.ts';
import { ClientConnection } from './client-connection.ts';
import { CurrentRoutes } from './current-routes.ts';
import { Dispatcher } from './dispatch.ts';
import { HeaderPolicy } from './header-policy.ts';
import {
  type Accounts,
  type AppGate,
  type BlobReader,
  type InstanceSource,
  OPEN_APP_GATE,
  type RequestLogSink,
  type RouteTableSource,
} from './ports.ts';
import { Proxy } from './proxy.ts';
import { rawError } from './raw-answer.ts';
import { parserErrorCode, STRICT_SERVER } from './request-guard.ts';
import { Sessions } from './sessions.ts';
import { SignIn } from './sign-in.ts';
import { StaticFiles } from './static-files.ts';
import { Upgrades } from './upgrade.ts';
import { Upstreams } from './upstreams.ts';
import { WebSocketProxy } from './web-socket.ts';

export interface RouterPorts {
  readonly routes: RouteTableSource;
  readonly instances: InstanceSource;
  readonly requestLog: RequestLogSink;
  readonly blobs: BlobReader;
  readonly accounts: Accounts;
  /** Absent: every app may be served. */
  readonly quotas?: AppGate;
}

export interface RouterOptions {
  /** What apps' host names end with: `localhost` for `ID.localhost`. */
  readonly domain: string;
  /** How long `close` waits for requests under way. */
  readonly drainMs?: number;
  /** Whether `secure: always` and `never` of app.yaml redirect. Off by default: without HTTPS in front it leads nowhere. */
  readonly secureRedirects?: boolean;
  /** Addresses of proxies in front whose X-Forwarded-For and X-Forwarded-Proto are believed. None by default. */
  readonly trustedProxies?: readonly string[];
  /** Unix socket, for the platform's own user alone, whose requests are the platform's: tasks and cron jobs. */
  readonly platformSocket?: string;
  /** 32 bytes that sign sessions; another key ends them all. Absent: one that goes with this router. */
  readonly sessionKey?: Buffer;
}

const SESSION_KEY_BYTES = 32;

const SWEEP_MS = 1_000;

export class RouterServer {
  readonly #routes: CurrentRoutes;
  readonly #upstreams: Upstreams;
  readonly #dispatcher: Dispatcher;
  readonly #upgrades: Upgrades;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #drainMs: number;
  readonly #server: Server;
  readonly #platformServer: Server;
  readonly #platformSocket: string | undefined;
  readonly #connections = new Map<Duplex, ClientConnection>();
  readonly #connectionsByAddress = new Map<string, number>();
  readonly #closeStack = new CloseStack();

  constructor(ports: RouterPorts, clock: Clock, timers: Timers, random: Random, log: Log, options: RouterOptions) {
    const { domain, secureRedirects = false, trustedProxies = [] } = options;
    const { instances, requestLog, accounts, quotas = OPEN_APP_GATE } = ports;
    const key = options.sessionKey ?? random.bytes(SESSION_KEY_BYTES);
    const sessions = new Sessions(key, accounts, clock);
    const signIn = new SignIn(key, accounts, sessions, clock, random);
    const policy = new HeaderPolicy(domain);
    this.#clock = clock;
    this.#timers = timers;
    this.#drainMs = options.drainMs ?? LIMITS.routerDrainMs;
    this.#routes = new CurrentRoutes(ports.routes, timers, log, { domain });
    this.#upstreams = new Upstreams(clock);
    const proxy = new Proxy(clock, this.#upstreams, policy);
    const files = new StaticFiles(ports.blobs);
    const dispatchOptions = { secureRedirects, trustedProxies: new Set(trustedProxies) };
    this.#dispatcher = new Dispatcher(
      { routes: this.#routes, instances, quotas, requestLog, proxy, files, sessions, signIn },
      clock,
      random,
      log,
      dispatchOptions,
    );
    this.#upgrades = new Upgrades(this.#dispatcher, instances, requestLog, new WebSocketProxy(policy), clock, log);
    this.#server = this.#newServer(false);
    this.#platformServer = this.#newServer(true);
    this.#platformSocket = options.platformSocket;
  }

  /** Requests and WebSockets under way. */
  get requestsInFlight(): number {
    return this.#dispatcher.requestsInFlight + this.#upgrades.count;
  }

  /** Connections of clients that are open. */
  get connectionsOpen(): number {
    return this.#connections.size;
  }

  /** Listens; port 0 picks a free one. Throws PORT_BUSY. */
  async start(listen: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }> {
    this.#closeStack.defer(() => {
      this.#upstreams.close();
    });
    this.#routes.start();
    this.#closeStack.defer(() => {
      this.#routes.close();
    });
    this.#closeStack.defer(
      this.#timers.every(SWEEP_MS, () => {
        this.#sweep();
      }),
    );
    const port = await this.#listen(listen);
    this.#closeStack.defer(() => this.#drain());
    if (this.#platformSocket !== undefined) await this.#listenToPlatform(this.#platformSocket);
    return { port };
  }

  /** Stops accepting, lets requests under way finish within the bound, then ends what is left. */
  close(): Promise<void> {
    return this.#closeStack.close();
  }

  #sweep(): void {
    this.#dispatcher.sweep();
    this.#upgrades.sweep();
    this.#upstreams.sweep();
    const idleSinceMs = this.#clock.monotonicMs() - LIMITS.clientIdleMs;
    for (const connection of this.#connections.values()) if (connection.isIdleSince(idleSinceMs)) connection.socket.destroy();
  }

  #newServer(isPlatform: boolean): Server {
    const server = new Server(STRICT_SERVER);
    // Unlimited for Node, which would drop what is over its limit silently; the guard counts and refuses.
    server.maxHeadersCount = 0;
    server.on('connection', (socket) => this.#accept(socket, isPlatform));
    server.on('request', (request, response) => this.#handle(request, response, false));
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response, true));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    server.on('connect', (_request, socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(rawError('ROUTE_METHOD_NOT_ALLOWED', '', undefined));
    });
    server.on('clientError', (error, socket) => this.#parserFailed(error, socket));
    return server;
  }

  #listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const isBusy = error.code === 'EADDRINUSE';
        reject(
          isBusy ? new PlatformError('PORT_BUSY', `${host}:${port}`, { details: { host, port, flag: '--port' }, cause: error }) : error,
        );
      });
      this.#server.listen({ host, port }, () => {
        this.#server.removeAllListeners('error');
        const address = this.#server.address();
        resolve(typeof address === 'object' && address ? address.port : port);
      });
    });
  }

  /** A socket file left by a dead process is replaced. */
  async #listenToPlatform(path: string): Promise<void> {
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#platformServer.once('error', reject);
      this.#platformServer.listen(path, resolve);
    });
    this.#platformServer.removeAllListeners('error');
    await chmod(path, 0o600);
  }

  #accept(socket: Socket, isPlatform: boolean): void {
    const connection = new ClientConnection(socket, this.#clock, this.#timers, { isPlatform });
    const { address } = connection;
    const open = (this.#connectionsByAddress.get(address) ?? 0) + 1;
    if (open > LIMITS.clientConnectionsPerAddressMax) {
      socket.destroy();
      return;
    }
    this.#connectionsByAddress.set(address, open);
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      const left = (this.#connectionsByAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#connectionsByAddress.set(address, left);
      else this.#connectionsByAddress.delete(address);
      connection.closed();
    });
  }

  #handle(request: IncomingMessage, response: ServerResponse, isContinueAwaited: boolean): void {
    const connection = this.#connections.get(request.socket);
    if (connection) this.#dispatcher.handle(request, response, connection, isContinueAwaited);
    else response.destroy();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#connections.get(socket);
    if (!connection) {
      socket.destroy();
      return;
    }
    connection.upgraded();
    this.#upgrades.handle(request, connection.socket, head, connection);
  }

  #parserFailed(error: Error, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    const isGone = !socket.writable || ('code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE'));
    if (!connection || isGone) {
      socket.destroy();
      return;
    }
    const code = parserErrorCode(error);
    connection.malformed(code, rawError(code, this.#dispatcher.newRequestId(), undefined));
  }

  async #drain(): Promise<void> {
    this.#dispatcher.drain();
    const servers = [this.#server, this.#platformServer].filter((server) => server.listening);
    const closed = servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    );
    for (const server of servers) server.closeIdleConnections();
    await this.#quiet();
    this.#upgrades.close();
    for (const server of servers) server.closeAllConnections();
    for (const socket of this.#connections.keys()) socket.destroy();
    await Promise.all(closed);
  }

  /** Resolves when no plain request is under way, or when the bound is over. */
  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#dispatcher.requestsInFlight === 0) {
        resolve();
        return;
      }
      const settle = (): void => {
        cancelBound();
        this.#dispatcher.onIdle = undefined;
        resolve();
      };
      const cancelBound = this.#timers.after(this.#drainMs, settle);
      this.#dispatcher.onIdle = settle;
    });
  }
}
