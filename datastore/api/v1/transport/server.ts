// The port of the public Cloud Datastore v1 API: gRPC, HTTP with protobuf and HTTP with JSON at one address. Each connection is handed, by
// its first bytes, to the library that speaks its protocol; the calls come together in calls.ts. Must not know what a call does.
// Read next: grpc-front.ts, http-front.ts, calls.ts.
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { type Cancel, type Clock, type Timers } from '../../../../sdk/support/clock.ts';
import { type Log } from '../../../../sdk/support/log.ts';
import { V1Calls } from './calls.ts';
import { V1Connection } from './connection.ts';
import { protocolOf } from './first-bytes.ts';
import { type GrpcFront } from './grpc-front.ts';
import { HttpFront, type V1Surface } from './http-front.ts';
import { type Authenticate } from './identity.ts';
import { isLoopback } from './loopback.ts';
import { V1_PORT_LIMITS, type V1PortLimits } from './port-limits.ts';
import { type V1Service } from '../port.ts';
import { isAdmitted, TLS_WANTED, TlsFront, type V1Certificates } from './tls-front.ts';

export interface DatastoreV1Options {
  /** Who calls: `openToAll`, or what the access to this port needs. */
  readonly authenticate: Authenticate;
  /** Present: TLS as well, and from other machines nothing else. */
  readonly certificates?: V1Certificates;
  /** What the emulator's surface does; what is absent is refused. */
  readonly surface?: V1Surface;
  /** By default those of sdk/contract/limits.ts. */
  readonly limits?: Partial<V1PortLimits>;
}

/** `port` 0: a free one. A unix socket left by a dead process is replaced; only what `mode` says reaches it. */
export type V1Listen = { readonly host: string; readonly port: number } | { readonly path: string; readonly mode: number };

const SWEEP_MS = 1_000;
/** Idle for this long, a connection gives its place to one that is needed. */
const IDLE_ENOUGH_MS = 1_000;

export class DatastoreV1Server {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #limits: V1PortLimits;
  readonly #calls: V1Calls;
  readonly #http: HttpFront;
  readonly #connections = new Set<V1Connection>();
  #grpc: Promise<GrpcFront> | undefined;
  readonly #certificates: V1Certificates | undefined;
  #tls: TlsFront | undefined;
  #isAllLocal = true;
  #server: Server | undefined;
  #cancelSweep: Cancel | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(service: V1Service, clock: Clock, timers: Timers, log: Log, options: DatastoreV1Options) {
    this.#clock = clock;
    this.#timers = timers;
    this.#certificates = options.certificates;
    this.#limits = { ...V1_PORT_LIMITS, ...options.limits };
    this.#calls = new V1Calls(service, log, { ...this.#limits, authenticate: options.authenticate });
    this.#http = new HttpFront(this.#calls, clock, timers, { limits: this.#limits, surface: options.surface ?? {} });
  }

  /** Calls at work. */
  get callsUnderWay(): number {
    return this.#calls.underWay;
  }

  get connectionsOpen(): number {
    return this.#connections.size;
  }

  /** Listens, and returns the port (0 for a path). Throws PORT_BUSY, and what the certificates' load throws. */
  async start(listen: V1Listen): Promise<{ readonly port: number }> {
    if (this.#certificates) {
      this.#tls = await TlsFront.open(this.#certificates, (socket, connection) => {
        // It goes on as another; the one before has no more to say.
        this.#connections.delete(connection);
        socket.on('error', () => undefined);
        this.#open(socket, { isLocal: connection.isLocal, isSecure: true });
      });
    }
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: false }, (socket) => {
      this.#accept(socket);
    });
    if ('path' in listen) await rm(listen.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(cause.code === 'EADDRINUSE' && 'port' in listen ? portBusy(listen.port, cause) : cause);
      });
      server.listen(listen, resolve);
    });
    this.#server = server;
    if ('path' in listen) {
      await chmod(listen.path, listen.mode);
      return { port: 0 };
    }
    const address = server.address();
    if (address === null || typeof address === 'string') return { port: listen.port };
    this.#isAllLocal = isLoopback(address.address);
    this.#http.listens({ listen: listen.host, isOpenToNetwork: !this.#isAllLocal });
    return { port: address.port };
  }

  /** Takes no more connections, lets calls under way finish within `drainMs`, then ends what is left. */
  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const isStopped = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    this.#http.end();
    for (const connection of this.#connections) connection.end();
    const cancel = this.#timers.after(this.#limits.drainMs, () => {
      for (const { socket } of this.#connections) socket.destroy();
    });
    await this.#emptied();
    cancel();
    (await this.#grpc)?.close();
    this.#tls?.close();
    this.#cancelSweep?.();
    await isStopped;
  }

  #emptied(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #accept(socket: Socket): void {
    // Whatever breaks, 'close' follows.
    socket.on('error', () => undefined);
    if (this.#connections.size >= this.#limits.connectionsMax && !this.#makeRoom()) {
      socket.destroy();
      return;
    }
    this.#open(socket, { isLocal: this.#isAllLocal || isLoopback(socket.remoteAddress ?? ''), isSecure: false });
  }

  /** A connection that has been admitted, or what is in one of TLS. */
  #open(socket: Socket, { isLocal, isSecure }: { readonly isLocal: boolean; readonly isSecure: boolean }): void {
    const connection = new V1Connection(socket, this.#clock.monotonicMs(), { isLocal, idleMs: this.#limits.idleMs });
    this.#connections.add(connection);
    // A server that nobody speaks to has no timer.
    this.#cancelSweep ??= this.#timers.every(SWEEP_MS, () => {
      this.#sweep();
    });
    socket.once('close', () => {
      this.#connections.delete(connection);
      if (this.#connections.size > 0) return;
      this.#cancelSweep?.();
      this.#cancelSweep = undefined;
      this.#onEmpty?.();
    });
    this.#sniff(connection, { isSecure });
  }

  /** Reads until the protocol is clear, then gives the bytes back to the socket, for whoever speaks it. */
  #sniff(connection: V1Connection, { isSecure }: { readonly isSecure: boolean }): void {
    const { socket } = connection;
    let bytes: Buffer = Buffer.alloc(0);
    const onEnd = (): void => {
      socket.destroy();
    };
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const protocol = protocolOf(bytes);
      if (protocol === undefined) return;
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.pause();
      socket.unshift(bytes);
      if (!isSecure && !isAdmitted(protocol, { hasTls: this.#tls !== undefined, isLocal: connection.isLocal })) {
        socket.end(protocol === 'http1' ? TLS_WANTED : '');
        socket.destroySoon();
      } else if (protocol === 'tls' && this.#tls && !isSecure) this.#tls.take(connection);
      else if (protocol !== 'http2') this.#http.take(connection);
      else void this.#takeGrpc(connection);
    };
    socket.on('data', onData);
    socket.on('end', onEnd);
  }

  async #takeGrpc(connection: V1Connection): Promise<void> {
    // The library is a megabyte of code that a server without such clients does without.
    this.#grpc ??= import('./grpc-front.ts').then(
      ({ GrpcFront }) => new GrpcFront(this.#calls, this.#clock, this.#limits, { isAllLocal: this.#isAllLocal }),
    );
    const front = await this.#grpc;
    if (!connection.socket.destroyed && this.#server) front.take(connection);
    else connection.socket.destroy();
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const connection of this.#connections) connection.sweep(nowMs);
  }

  /** The connection that has been idle for longest goes. */
  #makeRoom(): boolean {
    const idle = [...this.#connections].filter(({ idleSinceMs }) => idleSinceMs !== undefined);
    const oldest = idle.reduce<V1Connection | undefined>(
      (one, other) => (one && (one.idleSinceMs ?? 0) <= (other.idleSinceMs ?? 0) ? one : other),
      undefined,
    );
    if (oldest?.idleSinceMs === undefined || this.#clock.monotonicMs() - oldest.idleSinceMs < IDLE_ENOUGH_MS) return false;
    oldest.socket.destroy();
    this.#connections.delete(oldest);
    return true;
  }
}

function portBusy(port: number, cause: unknown): PlatformError {
  return new PlatformError('PORT_BUSY', String(port), { details: { port, flag: '--datastore-port' }, cause });
}
