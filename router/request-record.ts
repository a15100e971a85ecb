// The facts about one request that its log row is made of, collected while it is served.
import { coldStartOf, type StartPhases } from '../sdk/contract/cold-start.ts';
import { type ErrorCode } from '../sdk/contract/errors.ts';
import { type Clock } from '../sdk/support/clock.ts';
import { type Visitor } from './access-rule.ts';
import { type ClientRequest } from './client-exchange.ts';
import { type InstanceLease, type RequestLogRow } from './ports.ts';
import { type Load } from './load-caps.ts';
import { type RequestHead } from './request-guard.ts';
import { type RequestStart } from './request-start.ts';
import { type Route } from './route-table.ts';

/** nginx's status for a client that left before the answer. */
export const STATUS_CLIENT_LEFT = 499;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Of an instance's first request: how the instance started, and when it was given the request. */
interface Loading {
  readonly phases: StartPhases;
  readonly sinceMs: number;
  firstByteMs: number | undefined;
}

export class RequestRecord<R extends ClientRequest = ClientRequest> {
  readonly request: R;
  readonly start: RequestStart;
  readonly peerAddress: string;

  head: RequestHead | undefined;
  route: Route | undefined;
  /** What the route's app holds of this router, this request among it. */
  appLoad: Load | undefined;
  /** Who has signed in to the route's app. */
  visitor: Visitor | undefined;
  errorCode: ErrorCode | undefined;
  retries = 0;
  pendingMs = 0;
  isLoadingRequest = false;
  instanceId: string | undefined;
  #loading: Loading | undefined;

  constructor(request: R, peerAddress: string, start: RequestStart) {
    this.request = request;
    this.peerAddress = peerAddress;
    this.start = start;
  }

  useLease(lease: InstanceLease, clock: Clock): void {
    this.instanceId = lease.instanceId;
    this.isLoadingRequest = lease.isLoadingRequest;
    this.pendingMs += lease.pendingMs;
    this.#loading = lease.isLoadingRequest
      ? { phases: lease.start ?? {}, sinceMs: clock.monotonicMs(), firstByteMs: undefined }
      : undefined;
  }

  /** The head of the answer has come. */
  answerBegins(clock: Clock): void {
    if (this.#loading) this.#loading.firstByteMs ??= clock.monotonicMs() - this.#loading.sinceMs;
  }

  /** `nowMs` is monotonic; bytes are those of the bodies. */
  logRow(nowMs: number, answer: { readonly status: number; readonly requestBytes: number; readonly responseBytes: number }): RequestLogRow {
    const { request, head, start } = this;
    const { headers } = request;
    const target = this.route?.target;
    const row: Writable<RequestLogRow> = {
      requestId: start.requestId,
      startedAtMs: start.startedAtMs,
      appId: target?.appId ?? '',
      service: target?.service ?? '',
      version: target?.version ?? '',
      method: request.method ?? '',
      host: head?.host ?? headers.host ?? '',
      target: head?.target ?? request.url ?? '',
      status: answer.status,
      latencyMs: nowMs - start.startedMs,
      pendingMs: this.pendingMs,
      isLoadingRequest: this.isLoadingRequest,
      requestBytes: answer.requestBytes,
      responseBytes: answer.responseBytes,
      clientAddress: start.clientAddress,
      retries: this.retries,
    };
    if (this.instanceId !== undefined) row.instanceId = this.instanceId;
    if (this.#loading) row.coldStart = coldStartOf(this.#loading.phases, this.#loading.firstByteMs);
    if (headers['user-agent'] !== undefined) row.userAgent = headers['user-agent'];
    if (headers.referer !== undefined) row.referrer = headers.referer;
    if (this.errorCode !== undefined) row.errorCode = this.errorCode;
    if (start.trace) row.traceId = start.trace.traceId;
    if (start.isPlatformCall) {
      const { 'x-appengine-queuename': queueName, 'x-appengine-taskname': taskName } = headers;
      if (typeof queueName === 'string') row.queueName = queueName;
      if (typeof taskName === 'string') row.taskName = taskName;
    }
    return row;
  }
}
