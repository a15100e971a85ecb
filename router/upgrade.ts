// The story of one upgrade request: guard → resolve → lease → connect → pipe → log row. Only WebSockets are let
// through; anything else, h2c above all, would carry requests past every check (security: hostile number 51).
import { type IncomingMessage } from 'node:http';
import { type Socket } from 'node:net';
import { type Clock } from '../sdk/support/clock.ts';
import { PlatformError, toPlatformError, type ErrorCode } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Log } from '../sdk/support/log.ts';
import { type ClientConnection } from './client-connection.ts';
import { type Dispatcher } from './dispatch.ts';
import { type LoadCaps } from './load-caps.ts';
import { type InstanceSource, type LeaseOutcome, type RequestLogSink } from './ports.ts';
import { factsOf } from './proxy.ts';
import { rawAnswer, rawError } from './raw-answer.ts';
import { guardRequest, type RequestHead } from './request-guard.ts';
import { RequestRecord, STATUS_CLIENT_LEFT } from './request-record.ts';
import { loginRedirectHeaders } from './sign-in.ts';
import { type RequestStarts } from './request-start.ts';
import { mayRetry } from './retry-rule.ts';
import { type Route } from './route-table.ts';
import { redirectHeaders, type PublicPorts } from './secure-redirect.ts';
import { connectTo, type WebSocketProxy } from './web-socket.ts';

interface OpenUpgrade {
  readonly socket: Socket;
  readonly endsAtMs: number;
}

export interface UpgradePorts {
  readonly dispatcher: Dispatcher;
  readonly instances: InstanceSource;
  readonly requestLog: RequestLogSink;
  readonly webSockets: WebSocketProxy;
  readonly starts: RequestStarts;
  readonly caps: LoadCaps;
  readonly publicPorts: PublicPorts;
}

type UpgradeRecord = RequestRecord<IncomingMessage>;

export class Upgrades {
  readonly #ports: UpgradePorts;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #open = new Set<OpenUpgrade>();

  constructor(ports: UpgradePorts, clock: Clock, log: Log) {
    this.#ports = ports;
    this.#clock = clock;
    this.#log = log;
  }

  /** Upgrades under way or open. */
  get count(): number {
    return this.#open.size;
  }

  handle(request: IncomingMessage, socket: Socket, firstBytes: Buffer, connection: ClientConnection): void {
    // Node's server no longer listens on the socket, and an error that nobody hears would stop the process.
    socket.on('error', () => socket.destroy());
    const { starts, caps, requestLog } = this.#ports;
    const record: UpgradeRecord = new RequestRecord(request, connection.address, starts.of(request, connection));
    const { load } = record.start;
    caps.enter(load);
    const open = { socket, endsAtMs: record.start.startedMs + LIMITS.webSocketMs };
    this.#open.add(open);
    const bytesBefore = { read: socket.bytesRead, written: socket.bytesWritten };
    this.#serve(record, socket, firstBytes, connection)
      .catch((thrown: unknown) => this.#answerError(record, socket, thrown))
      .then((status) => {
        this.#open.delete(open);
        caps.leave(load, record.appLoad);
        const requestBytes = socket.bytesRead - bytesBefore.read;
        const responseBytes = socket.bytesWritten - bytesBefore.written;
        requestLog.write(record.logRow(this.#clock.monotonicMs(), { status, requestBytes, responseBytes }));
      })
      .catch((error: unknown) => this.#log.error('An upgrade could not be logged', { error }));
  }

  /** Ends WebSockets that have lasted long enough. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { socket, endsAtMs } of this.#open) if (nowMs > endsAtMs) socket.destroy();
  }

  /** Ends them all. */
  close(): void {
    for (const { socket } of this.#open) socket.destroy();
  }

  /** Resolves with the status for the log. */
  async #serve(record: UpgradeRecord, socket: Socket, firstBytes: Buffer, connection: ClientConnection): Promise<number> {
    const { request } = record;
    this.#ports.caps.admitClient(record.start.load);
    const head = guardRequest(request);
    record.head = head;
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') throw new PlatformError('ROUTE_BAD_REQUEST', 'only WebSockets may upgrade');
    if (head.method !== 'GET' || head.hasBody) throw new PlatformError('ROUTE_BAD_REQUEST', 'an upgrade is a GET without body');
    const decision = await this.#ports.dispatcher.route(record, head, connection);
    switch (decision.kind) {
      case 'app':
        return this.#serveFromInstance(record, head, decision.route, socket, firstBytes, connection);
      case 'redirect':
        socket.end(rawAnswer(decision.status, redirectHeaders(head, decision.scheme, this.#ports.publicPorts)));
        return decision.status;
      case 'login':
        socket.end(rawAnswer(302, loginRedirectHeaders(head)));
        return 302;
      case 'static':
      case 'sign-in':
        throw new PlatformError('ROUTE_BAD_REQUEST', 'a page of the platform and a static file do not upgrade');
      case 'refused':
        throw new PlatformError(decision.code);
    }
  }

  async #serveFromInstance(
    record: UpgradeRecord,
    head: RequestHead,
    route: Route,
    socket: Socket,
    firstBytes: Buffer,
    connection: ClientConnection,
  ): Promise<number> {
    for (;;) {
      const lease = await this.#ports.instances.acquire(route.target, { signal: connection.gone });
      record.useLease(lease, this.#clock);
      let outcome: LeaseOutcome = 'failed';
      try {
        const upstream = await connectTo(lease.socketPath);
        if (socket.destroyed) {
          upstream.destroy();
          outcome = 'cancelled';
          return STATUS_CLIENT_LEFT;
        }
        const facts = factsOf(record, head, route);
        const webSocket = { request: record.request, client: socket, firstBytes, facts, target: head.target };
        let refusal: ErrorCode | undefined;
        const status = await this.#ports.webSockets.forward(webSocket, upstream, (code) => {
          refusal = code;
          socket.write(rawError(code, record.start.requestId, record.request.headers.accept));
        });
        outcome = refusal ? 'failed' : status > 0 ? 'answered' : 'cancelled';
        record.errorCode = refusal;
        return refusal ? new PlatformError(refusal).row.httpStatus : status > 0 ? status : STATUS_CLIENT_LEFT;
      } catch (error) {
        if (!this.#mayRetry(record, toPlatformError(error).code)) throw error;
        record.retries++;
      } finally {
        lease.release(outcome);
      }
    }
  }

  /** What fails with an error has not been delivered: only the connect fails that way. */
  #mayRetry(record: UpgradeRecord, code: ErrorCode): boolean {
    return mayRetry({
      code,
      method: 'GET',
      hasBody: false,
      wasDelivered: false,
      isResponseStarted: false,
      retries: record.retries,
      remainingMs: LIMITS.webSocketMs - (this.#clock.monotonicMs() - record.start.startedMs),
    });
  }

  #answerError(record: UpgradeRecord, socket: Socket, thrown: unknown): number {
    const error = toPlatformError(thrown);
    if (error.code === 'INTERNAL') this.#log.error('An upgrade failed in the router', { requestId: record.start.requestId, error: thrown });
    if (error.code === 'CANCELLED') {
      socket.destroy();
      return STATUS_CLIENT_LEFT;
    }
    record.errorCode = error.code;
    socket.end(rawError(error.code, record.start.requestId, record.request.headers.accept, error.details));
    socket.destroySoon();
    return error.row.httpStatus;
  }
}
