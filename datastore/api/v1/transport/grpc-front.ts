// gRPC: the library's server, which is handed connections, before the calls. This module loads the library, so it is itself
// loaded when the first client of HTTP/2 comes.
// Read next: grpc-session.ts, what the library leaves to whoever runs it; calls.ts.
import { type Http2Server, type ServerHttp2Session } from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import { PlatformError, toPlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { type Clock } from '../../../../sdk/support/clock.ts';
import { assert } from '../../../../sdk/support/assert.ts';
import { type V1Calls } from './calls.ts';
import { type V1Connection } from './connection.ts';
import { GrpcSession } from './grpc-session.ts';
import { isLoopback } from './loopback.ts';
import { V1_METHODS, type V1Method } from '../port.ts';
import { type V1PortLimits } from './port-limits.ts';
import { statusOf } from './status.ts';

/** Client libraries refuse trailers of more than 8 KiB. */
const MESSAGE_BYTES_MAX = 4 * 1024;
/** What a client may send ahead in one call; a connection has as much for all of its calls. */
const WINDOW_BYTES = 1024 * 1024;

type UnaryCall = grpc.ServerUnaryCall<Buffer, Buffer>;

const asIs = (bytes: Buffer): Buffer => bytes;

// It would print a line for each malformed header of a client.
grpc.setLogVerbosity(grpc.logVerbosity.NONE);

export class GrpcFront {
  readonly #calls: V1Calls;
  readonly #clock: Clock;
  readonly #limits: V1PortLimits;
  readonly #isAllLocal: boolean;
  readonly #server: grpc.Server;
  readonly #injector: grpc.ConnectionInjector;
  #taking: V1Connection | undefined;

  constructor(calls: V1Calls, clock: Clock, limits: V1PortLimits, options: { readonly isAllLocal: boolean }) {
    this.#calls = calls;
    this.#clock = clock;
    this.#limits = limits;
    this.#isAllLocal = options.isAllLocal;
    this.#server = new grpc.Server({
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': limits.requestBytesMax,
      'grpc.max_concurrent_streams': limits.callsPerConnectionMax,
      // Over it, calls of a client that reads would be refused; calls.ts lets them wait.
      'grpc-node.max_session_memory': Number.MAX_SAFE_INTEGER,
    });
    for (const method of V1_METHODS) {
      const serve: grpc.handleUnaryCall<Buffer, Buffer> = (call, answer) => void this.#serve(method, call, answer);
      this.#server.register(`/google.datastore.v1.Datastore/${method}`, serve, asIs, asIs, 'unary');
    }
    this.#injector = this.#server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    const server = http2ServerOf(this.#server);
    server.updateSettings({
      // Twice what is served, so that what is a little too large gets an answer and not just a reset.
      maxHeaderListSize: 2 * LIMITS.requestHeaderBytesMax,
      enableConnectProtocol: false,
      initialWindowSize: WINDOW_BYTES,
    });
    server.on('session', (session: ServerHttp2Session) => {
      this.#began(session);
    });
  }

  take(connection: V1Connection): void {
    this.#taking = connection;
    this.#injector.injectConnection(connection.socket);
    this.#taking = undefined;
  }

  /** Ends what is still open. */
  close(): void {
    this.#server.forceShutdown();
  }

  #began(session: ServerHttp2Session): void {
    session.setLocalWindowSize(WINDOW_BYTES);
    const connection = this.#taking;
    assert(connection !== undefined, 'A session belongs to the connection that is being taken');
    connection.begin(new GrpcSession(session, connection, this.#calls, this.#clock, this.#limits));
  }

  async #serve(method: V1Method, call: UnaryCall, answer: grpc.sendUnaryData<Buffer>): Promise<void> {
    const gone = new AbortController();
    let isDone = false;
    call.on('cancelled', () => {
      if (!isDone) gone.abort(new PlatformError(isPast(call.getDeadline(), this.#clock.nowMs()) ? 'DEADLINE_EXCEEDED' : 'CANCELLED'));
    });
    try {
      const identity = await this.#calls.identify({
        authorization: call.metadata.get('authorization')[0]?.toString(),
        isLocal: this.#isAllLocal || isLoopback(call.getPeer().replace(/:\d+$/, '')),
      });
      const bytes = await this.#calls.run(method, call.request, identity, { signal: gone.signal });
      isDone = true;
      answer(null, bytes);
    } catch (thrown) {
      isDone = true;
      const { name, message } = statusOf(toPlatformError(thrown));
      answer({ code: grpc.status[name], details: shortened(message) });
    }
  }
}

/**
 * The library keeps the HTTP/2 server to itself, and has no setting for most of what a client may send without calling anything. The
 * library's version is pinned; should another one keep it elsewhere, this server refuses to start rather than serve without limits.
 */
function http2ServerOf(server: grpc.Server): Http2Server {
  const servers: unknown = server['http2Servers'];
  const [found] = servers instanceof Map ? [...(servers.keys() as Iterable<Partial<Http2Server>>)] : [];
  assert(typeof found?.updateSettings === 'function', 'grpc-js keeps its HTTP/2 server in http2Servers');
  return found as Http2Server;
}

function isPast(deadline: grpc.Deadline, nowMs: number): boolean {
  return deadline.valueOf() <= nowMs;
}

/** As much of the text as fits into trailers, percent-encoded. */
function shortened(message: string): string {
  if (encodeURI(message).length <= MESSAGE_BYTES_MAX) return message;
  let length = Math.min(message.length, MESSAGE_BYTES_MAX);
  while (encodeURI(message.slice(0, length).toWellFormed()).length >= MESSAGE_BYTES_MAX) length = Math.floor(length * 0.8);
  return `${message.slice(0, length).toWellFormed()}…`;
}
