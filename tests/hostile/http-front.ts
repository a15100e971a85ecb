// A router with one app behind it, and raw sockets in front: what the hostile HTTP tests share.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom, systemTimers, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import {
  MemoryAccounts,
  MemoryBlobReader,
  MemoryInstanceSource,
  MemoryRequestLog,
  MemoryRouteTableSource,
} from '../../router/memory-ports.ts';
import { type AppGate, OPEN_APP_GATE, type VersionRoutes } from '../../router/ports.ts';
import { type Caps, capsWithin } from '../../router/load-caps.ts';
import { RouterServer } from '../../router/server.ts';
import { type TlsCertificates } from '../../router/tls.ts';

export interface FrontOptions {
  readonly version?: Partial<VersionRoutes>;
  readonly clock?: Clock;
  readonly timers?: Timers;
  /** Ids of the apps, all of which are the one behind the router; default `hello`. */
  readonly apps?: readonly string[];
  readonly sessionKey?: Buffer;
  readonly quotas?: AppGate;
  /** Makes the front one of HTTPS. */
  readonly certificates?: TlsCertificates;
  /** HTTP beside HTTPS. */
  readonly servesHttp?: boolean;
  readonly caps?: Partial<Caps>;
  readonly trustedProxies?: readonly string[];
}

export class HttpFront {
  readonly instances = new MemoryInstanceSource();
  readonly requestLog = new MemoryRequestLog();
  readonly blobs = new MemoryBlobReader();
  readonly accounts = new MemoryAccounts();
  readonly log = new MemoryLog();
  /** Requests that reached the app, in order. */
  readonly seen: {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingMessage['headers'];
    readonly rawHeaders: string[];
  }[] = [];
  readonly #servers: (Server | NetServer)[] = [];
  #router: RouterServer | undefined;
  #folder = '';
  port = 0;
  /** Of HTTP beside HTTPS. */
  httpPort = 0;

  static async start(options: FrontOptions = {}): Promise<HttpFront> {
    const front = new HttpFront();
    front.#folder = await mkdtemp(join(tmpdir(), 'hostile-http-'));
    const version = { version: 'v1', deploymentId: 'd1', handlers: [], files: {}, ...options.version };
    const { clock = systemClock, timers = systemTimers, apps = ['hello'], sessionKey, quotas = OPEN_APP_GATE, certificates } = options;
    const services = [{ service: 'default', split: { v1: 1 }, shardBy: 'ip', versions: [version] }] as const;
    const routes = new MemoryRouteTableSource({ revision: 1, apps: apps.map((appId) => ({ appId, services })) });
    const { instances, requestLog, blobs, accounts, log } = front;
    front.#router = new RouterServer({ routes, instances, requestLog, blobs, accounts, quotas }, clock, timers, systemRandom, log, {
      domain: 'localhost',
      drainMs: 100,
      platformSocket: front.platformSocket,
      caps: { ...capsWithin(undefined), ...options.caps },
      trustedProxies: options.trustedProxies ?? [],
      ...(sessionKey ? { sessionKey } : {}),
      ...(certificates ? { certificates } : {}),
    });
    const listen = { host: '127.0.0.1', port: 0, ...(options.servesHttp ? { httpPort: 0 } : {}) };
    ({ port: front.port, httpPort: front.httpPort = 0 } = await front.#router.start(listen));
    return front;
  }

  /** The platform's private entrance. */
  get platformSocket(): string {
    return join(this.#folder, 'router-platform.sock');
  }

  get router(): RouterServer {
    if (!this.#router) throw new Error('not started');
    return this.#router;
  }

  async close(): Promise<void> {
    await this.router.close();
    for (const server of this.#servers) {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** An app that answers `ok` after reading the request whole, and notes it. */
  async app(listener?: RequestListener): Promise<Server> {
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      const { method = '', url = '', headers, rawHeaders } = request;
      this.seen.push({ method, url, headers, rawHeaders });
      if (listener) {
        listener(request, response);
        return;
      }
      request.on('error', () => undefined).resume();
      request.on('end', () => response.end('ok'));
    });
    await this.#listen(server);
    return server;
  }

  /** An app that writes what it likes for each chunk that it gets; resolves with its connections. */
  async rawApp(onData: (socket: Socket, text: string) => void): Promise<Socket[]> {
    const sockets: Socket[] = [];
    const server = createNetServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => onData(socket, chunk.toString('latin1')));
    });
    await this.#listen(server);
    return sockets;
  }

  connect(): Socket {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => undefined);
    return socket;
  }

  /** Sends bytes; resolves with everything that came back when the router has closed the connection. */
  async send(text: string): Promise<string> {
    const socket = this.connect();
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.write(text, 'latin1');
    await withBound(
      once(socket, 'close'),
      () => `no close after ${JSON.stringify(Buffer.concat(chunks).toString('latin1').slice(0, 500))}`,
    );
    return Buffer.concat(chunks).toString('latin1');
  }

  /** Sends bytes; resolves with what came back as soon as it matches. */
  async sendUntil(text: string, pattern: RegExp): Promise<string> {
    const socket = this.connect();
    let received = '';
    socket.write(text, 'latin1');
    await withBound(
      new Promise<void>((resolve) => {
        socket.on('data', (chunk) => {
          received += chunk.toString('latin1');
          if (pattern.test(received)) resolve();
        });
        socket.on('close', resolve);
      }),
      () => `no match in ${JSON.stringify(received.slice(0, 500))}`,
    );
    socket.destroy();
    return received;
  }

  async #listen(server: Server | NetServer): Promise<void> {
    const path = join(this.#folder, `app${this.#servers.length}.sock`);
    this.#servers.push(server);
    server.listen(path);
    await once(server, 'listening');
    this.instances.socketPaths.push(path);
  }
}

export async function until(isTrue: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error('waited 10 s in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Status codes of the answers in a stream of bytes, in order. */
export function statuses(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) [A-Z]/g)].map((match) => Number(match[1]));
}

export async function withBound<T>(promise: Promise<T>, describe: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(describe())), 10_000);
  });
  try {
    return await Promise.race([promise, bound]);
  } finally {
    clearTimeout(timer);
  }
}
