// The router's front door: Node's HTTP server made strict, and everything behind it put together.
import { chmod, rm } from 'node:fs/promises';
import { Server, type IncomingMessage, type ServerResponse } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { CloseStack } from '../sdk/support/close-stack.ts';
import { type Clock, type Random, type Timers } from '../sdk/support/clock.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Log } from '../sdk/support/log.ts';
import { ClientSockets } from './client-sockets.ts';
import { type ClientConnection } from './client-connection.ts';
import { CurrentRoutes } from './current-routes.ts';
import { Dispatcher } from './dispatch.ts';
import { HeaderPolicy } from './header-policy.ts';
import { Http2Connection } from './http2-connection.ts';
import { type Caps, capsWithin, LoadCaps } from './load-caps.ts';
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
import { type ParserError, parserErrorCode, STRICT_SERVER } from './request-guard.ts';
import { RequestStarts } from './request-start.ts';
import { type PublicPorts } from './secure-redirect.ts';
import { Sessions } from './sessions.ts';
import { SignIn } from './sign-in.ts';
import { StaticFiles } from './static-files.ts';
import { type TlsCertificates, TLS_SERVER } from './tls.ts';
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
  /** Redirects of `secure:` in app.yaml even where nothing tells whether HTTPS is in front. Off by default. */
  readonly secureRedirects?: boolean;
  /** Addresses of proxies in front whose X-Forwarded-For and X-Forwarded-Proto are believed. None by default. */
  readonly trustedProxies?: readonly string[];
  /** Unix socket, for the platform's own user alone, whose requests are the platform's: tasks and cron jobs. */
  readonly platformSocket?: string;
  /** 32 bytes that sign sessions; another key ends them all. Absent: one that goes with this router. */
  readonly sessionKey?: Buffer;
  /** Makes the port one for HTTPS, with HTTP/2 and HTTP/1.1. */
  readonly certificates?: TlsCertificates;
  /** Error pages show why an app did not start, and what it printed: for a developer's own machine alone. */
  readonly showsStartReports?: boolean;
  /** How much may be under way at once. By default the limits. */
  readonly caps?: Caps;
}

export interface ListenOptions {
  readonly host: string;
  /** HTTPS with certificates, else HTTP. */
  readonly port: number;
  /** HTTP beside HTTPS. */
  readonly httpPort?: number;
}

const SESSION_KEY_BYTES = 32;

const SWEEP_MS = 1_000;

export class RouterServer {
  readonly #routes: CurrentRoutes;
  readonly #upstreams: Upstreams;
  readonly #dispatcher: Dispatcher;
  readonly #upgrades: Upgrades;
  readonly #starts: RequestStarts;
  readonly #sockets: ClientSockets;
  readonly #publicPorts: PublicPorts = {};
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #drainMs: number;
  readonly #certificates: TlsCertificates | undefined;
  readonly #platformSocket: string | undefined;
  readonly #servers: Server[] = [];
  readonly #http2 = new Set<Http2Connection>();
  readonly #closeStack = new CloseStack();

  constructor(ports: RouterPorts, clock: Clock, timers: Timers, random: Random, log: Log, options: RouterOptions) {
    const { domain, secureRedirects = false, showsStartReports = false, certificates, caps: capsWanted = capsWithin(undefined) } = options;
    const { instances, requestLog, accounts, quotas = OPEN_APP_GATE } = ports;
    const trustedProxies = new Set(options.trustedProxies);
    const key = options.sessionKey ?? random.bytes(SESSION_KEY_BYTES);
    const sessions = new Sessions(key, accounts, clock);
    const signIn = new SignIn(key, accounts, sessions, clock, random);
    const policy = new HeaderPolicy(domain);
    const caps = new LoadCaps(capsWanted);
    const publicPorts = this.#publicPorts;
    this.#clock = clock;
    this.#timers = timers;
    this.#drainMs = options.drainMs ?? LIMITS.routerDrainMs;
    this.#certificates = certificates;
    this.#platformSocket = options.platformSocket;
    this.#sockets = new ClientSockets(caps, trustedProxies, clock, timers);
    this.#routes = new CurrentRoutes(ports.routes, timers, log, { domain });
    this.#upstreams = new Upstreams(clock);
    const starts = new RequestStarts(clock, random, caps, { trustedProxies, secureRedirects, publicPorts });
    this.#starts = starts;
    const proxy = new Proxy(clock, this.#upstreams, policy);
    const files = new StaticFiles(ports.blobs);
    this.#dispatcher = new Dispatcher(
      { routes: this.#routes, instances, quotas, requestLog, proxy, files, sessions, signIn, starts, caps, publicPorts, showsStartReports },
      clock,
      random,
      log,
    );
    const webSockets = new WebSocketProxy(policy);
    this.#upgrades = new Upgrades(
      { dispatcher: this.#dispatcher, instances, requestLog, webSockets, starts, caps, publicPorts },
      clock,
      log,
    );
  }

  /** Requests and WebSockets under way. */
  get requestsInFlight(): number {
    return this.#dispatcher.requestsInFlight + this.#upgrades.count;
  }

  /** Connections of clients that are open. */
  get connectionsOpen(): number {
    return this.#sockets.size;
  }

  /** Listens; port 0 picks a free one. Throws PORT_BUSY, and what the certificates' load throws. */
  async start(listen: ListenOptions): Promise<{ readonly port: number; readonly httpPort?: number }> {
    const { host, httpPort } = listen;
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
    this.#closeStack.defer(() => this.#drain());
    const certificates = this.#certificates;
    const server = certificates ? await this.#newTlsServer(certificates) : this.#newServer(false);
    const port = await this.#listen(server, { host, port: listen.port }, '--port');
    if (certificates) this.#publicPorts.https = port;
    if (certificates && httpPort !== undefined) {
      this.#publicPorts.http = await this.#listen(this.#newServer(false), { host, port: httpPort }, '--http-port');
    }
    if (this.#platformSocket !== undefined) await this.#listenToPlatform(this.#platformSocket);
    const { http } = this.#publicPorts;
    return certificates && http !== undefined ? { port, httpPort: http } : { port };
  }

  /** Stops accepting, lets requests under way finish within the bound, then ends what is left. */
  close(): Promise<void> {
    return this.#closeStack.close();
  }

  #sweep(): void {
    this.#dispatcher.sweep();
    this.#upgrades.sweep();
    this.#upstreams.sweep();
    this.#sockets.sweep();
    for (const connection of this.#http2) connection.sweep();
  }

  #newServer(isPlatform: boolean): Server {
    const server = new Server(STRICT_SERVER);
    server.on('connection', (socket) => {
      if (this.#sockets.admit(socket, { isPlatform })) this.#sockets.open(socket, { isPlatform, isTls: false });
    });
    return this.#prepare(server);
  }

  async #newTlsServer(certificates: TlsCertificates): Promise<Server> {
    const server = new HttpsServer({ ...STRICT_SERVER, ...TLS_SERVER, ...(await certificates.load()) });
    this.#closeStack.defer(
      certificates.watch((context) => {
        server.setSecureContext(context);
      }),
    );
    // What HTTP/1 begins with a connection whose handshake is done; the others are not its own.
    const serveHttp1 = server.listeners('secureConnection') as ((socket: Socket) => void)[];
    server.removeAllListeners('secureConnection');
    server.on('connection', (socket: Socket) => this.#sockets.admit(socket, { isPlatform: false }));
    server.on('secureConnection', (socket) => {
      const connection = this.#sockets.open(socket, { isPlatform: false, isTls: true });
      if (!connection) socket.destroy();
      else if (socket.alpnProtocol === 'h2') this.#serveHttp2(connection);
      else for (const serve of serveHttp1) serve.call(server, socket);
    });
    return this.#prepare(server);
  }

  #prepare(server: Server): Server {
    // Unlimited for Node, which would drop what is over its limit silently; the guard counts and refuses.
    server.maxHeadersCount = 0;
    server.on('request', (request, response) => this.#handle(request, response, false));
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response, true));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    server.on('connect', (_request, socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(rawError('ROUTE_METHOD_NOT_ALLOWED', '', undefined));
    });
    server.on('clientError', (error, socket) => this.#parserFailed(error, socket));
    this.#servers.push(server);
    return server;
  }

  #serveHttp2(connection: ClientConnection): void {
    const http2 = new Http2Connection(connection, this.#clock, (request, answer, client, isContinueAwaited) =>
      this.#dispatcher.handle(request, answer, client, isContinueAwaited),
    );
    this.#http2.add(http2);
    connection.socket.once('close', () => this.#http2.delete(http2));
  }

  #listen(server: Server, { host, port }: { readonly host: string; readonly port: number }, flag: string): Promise<number> {
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const isBusy = error.code === 'EADDRINUSE';
        reject(isBusy ? new PlatformError('PORT_BUSY', `${host}:${port}`, { details: { host, port, flag }, cause: error }) : error);
      });
      server.listen({ host, port }, () => {
        server.removeAllListeners('error');
        const address = server.address();
        resolve(typeof address === 'object' && address ? address.port : port);
      });
    });
  }

  /** A socket file left by a dead process is replaced. */
  async #listenToPlatform(path: string): Promise<void> {
    const server = this.#newServer(true);
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    server.removeAllListeners('error');
    await chmod(path, 0o600);
  }

  #handle(request: IncomingMessage, response: ServerResponse, isContinueAwaited: boolean): void {
    const connection = this.#sockets.of(request.socket);
    if (connection) this.#dispatcher.handle(request, response, connection, isContinueAwaited);
    else response.destroy();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#sockets.of(socket);
    if (!connection) {
      socket.destroy();
      return;
    }
    connection.upgraded();
    this.#upgrades.handle(request, connection.socket, head, connection);
  }

  #parserFailed(error: ParserError, socket: Duplex): void {
    const connection = this.#sockets.of(socket);
    // Newer versions of Node tell of each piece that follows; the answer is out, and the connection ends when it was read.
    const isReset = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    if (connection?.isMalformed && !isReset) return;
    if (!connection || !socket.writable || isReset) {
      socket.destroy();
      return;
    }
    const code = parserErrorCode(error);
    connection.malformed(code, rawError(code, this.#starts.newRequestId(), undefined));
  }

  async #drain(): Promise<void> {
    this.#dispatcher.drain();
    const servers = this.#servers.filter((server) => server.listening);
    const closed = servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    );
    for (const server of servers) server.closeIdleConnections();
    for (const connection of this.#http2) connection.end();
    await this.#quiet();
    this.#upgrades.close();
    for (const server of servers) server.closeAllConnections();
    this.#sockets.destroy();
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
