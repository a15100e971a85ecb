// A server of the public API for tests, before a service that answers as a test says; and a client of gRPC for it.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { systemClock, systemTimers, type Clock, type Timers } from '../../../../sdk/support/clock.ts';
import { MemoryLog } from '../../../../sdk/support/log.ts';
import { openToAll, type Authenticate } from './identity.ts';
import { type V1Caller, type V1Method, type V1Service } from '../port.ts';
import { type V1Surface } from './http-front.ts';
import { type V1PortLimits } from './port-limits.ts';
import { DatastoreV1Server } from './server.ts';

export type StubAnswer = (request: Buffer, caller: V1Caller, method: V1Method) => Promise<Buffer> | Buffer;

/** Echoes, unless it is told what to do; keeps what it was asked. */
export class StubService implements V1Service {
  readonly seen: { readonly method: V1Method; readonly request: Buffer; readonly caller: V1Caller }[] = [];
  answer: StubAnswer = (request) => request;

  async call(method: V1Method, request: Buffer, caller: V1Caller): Promise<Buffer> {
    this.seen.push({ method, request, caller });
    return this.answer(request, caller, method);
  }
}

export interface PortOptions {
  readonly authenticate?: Authenticate;
  readonly surface?: V1Surface;
  readonly limits?: Partial<V1PortLimits>;
  readonly clock?: Clock;
  readonly timers?: Timers;
  /** Listens on a unix socket. */
  readonly isUnix?: boolean;
}

export interface OpenPort {
  readonly server: DatastoreV1Server;
  readonly service: StubService;
  readonly log: MemoryLog;
  readonly port: number;
  readonly path: string;
}

/** Closes with the test. */
export async function openPort(options: PortOptions = {}): Promise<OpenPort> {
  const service = new StubService();
  const log = new MemoryLog();
  const { authenticate = openToAll, surface = {}, limits = {}, clock = systemClock, timers = systemTimers, isUnix = false } = options;
  const server = new DatastoreV1Server(service, clock, timers, log, { authenticate, surface, limits: { drainMs: 200, ...limits } });
  onTestFinished(() => server.close());
  const path = join(tmpdir(), `v1-${randomBytes(6).toString('hex')}.sock`);
  const { port } = await server.start(isUnix ? { path, mode: 0o600 } : { host: '127.0.0.1', port: 0 });
  return { server, service, log, port, path };
}

export interface GrpcOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly path?: string;
}

const asIs = (bytes: Buffer): Buffer => bytes;

/** A client of gRPC that is not ours, for messages as bytes. */
export class GrpcClient {
  readonly #client: grpc.Client;

  /** `target`: `127.0.0.1:PORT` or `unix:PATH`. Closes with the test. */
  constructor(target: string, options: grpc.ClientOptions = {}) {
    this.#client = new grpc.Client(target, grpc.credentials.createInsecure(), { 'grpc.enable_retries': 0, ...options });
    onTestFinished(() => {
      this.close();
    });
  }

  /** Rejects with the library's own error: `code`, `details`. */
  call(method: string, request: Buffer, options: GrpcOptions = {}): Promise<Buffer> {
    return this.begin(method, request, options).answer;
  }

  begin(method: string, request: Buffer, options: GrpcOptions = {}): { readonly answer: Promise<Buffer>; cancel(): void } {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
    let call: grpc.ClientUnaryCall | undefined;
    const answer = new Promise<Buffer>((resolve, reject) => {
      call = this.#client.makeUnaryRequest(
        options.path ?? `/google.datastore.v1.Datastore/${method}`,
        asIs,
        asIs,
        request,
        metadata,
        (error, value) => {
          if (value) resolve(value);
          else reject(error ?? new Error('neither an answer nor an error'));
        },
      );
    });
    return { answer, cancel: () => call?.cancel() };
  }

  close(): void {
    this.#client.close();
  }
}
