// One attempt to have a request answered by one instance, streaming both ways with back-pressure.
// Read next: upstreams.ts and instance-connection.ts, how it gets there and back.
import { type Clock } from '../sdk/support/clock.ts';
import { PlatformError, type ErrorCode } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type ClientAnswer, type ClientRequest } from './client-exchange.ts';
import { type Exchange, type RunningAttempt } from './exchange.ts';
import { type HeaderPolicy, type RequestFacts, type ResponseHead } from './header-policy.ts';
import { RequestBody } from './request-body.ts';
import { type RequestHead } from './request-guard.ts';
import { type RequestRecord } from './request-record.ts';
import { type Route } from './route-table.ts';
import { acceptsTrailers, passedAnnouncement, passedTrailers } from './trailer-policy.ts';
import { endWhole } from './small-answer.ts';
import { type UpstreamHandler } from './instance-connection.ts';
import { type UpstreamConnection, type Upstreams } from './upstreams.ts';

export type AttemptOutcome =
  | { readonly kind: 'answered' }
  | { readonly kind: 'cancelled' }
  /** `wasDelivered`: whether any byte of the request may have reached the instance, which is lost when none could. */
  | { readonly kind: 'failed'; readonly error: PlatformError; readonly wasDelivered: boolean; readonly isInstanceLost: boolean };

export interface ProxiedRequest {
  readonly head: RequestHead;
  readonly route: Route;
  readonly newBucket: number | undefined;
  readonly socketPath: string;
}

export class Proxy {
  readonly #clock: Clock;
  readonly #upstreams: Upstreams;
  readonly #policy: HeaderPolicy;

  constructor(clock: Clock, upstreams: Upstreams, policy: HeaderPolicy) {
    this.#clock = clock;
    this.#upstreams = upstreams;
    this.#policy = policy;
  }

  /**
   * Sends the request and streams the answer to the client. Calls `settle` once, when the instance is done with the
   * request or lost it, perhaps before this returns; never throws. The exchange's `attempt` stands for it meanwhile.
   * Answers nothing itself when it fails.
   */
  forward(exchange: Exchange, proxied: ProxiedRequest, settle: (outcome: AttemptOutcome) => void): void {
    const { head, route, socketPath } = proxied;
    const facts = factsOf(exchange, head, route);
    const headers = this.#policy.forInstance(exchange.request.rawHeaders, facts);
    const body = head.hasBody ? bodyOf(exchange) : null;
    const trailing = facts.trailers === undefined ? undefined : exchange.request;
    const connection = this.#upstreams.take(socketPath);
    const attempt = new Attempt(exchange, proxied.newBucket, connection, this.#policy, this.#clock, (outcome) => {
      exchange.attempt = undefined;
      if (outcome.kind === 'failed' && outcome.isInstanceLost) this.#upstreams.forget(socketPath);
      settle(outcome);
    });
    exchange.attempt = attempt;
    connection.dispatch({ method: head.method, target: head.target, headers, body, trailing }, attempt);
  }
}

/** What the policy tells the instance about a request. */
export function factsOf({ request, start, peerAddress, visitor }: RequestRecord, head: RequestHead, route: Route): RequestFacts {
  const { te, trailer } = request.headers;
  return {
    requestId: start.requestId,
    host: head.host,
    clientAddress: start.clientAddress,
    peerAddress: start.isPlatformCall ? start.clientAddress : peerAddress,
    isHttps: start.isHttps,
    trace: start.trace,
    readsTrailers: te !== undefined && acceptsTrailers(te),
    trailers: trailer !== undefined && head.hasBody && head.contentLength === undefined ? passedAnnouncement(trailer) : undefined,
    defaultHostname: route.defaultHostname,
    deadlineMs: route.deadlineMs,
    isPlatformCall: start.isPlatformCall,
    visitor,
  };
}

/** A second attempt is made only when the first took nothing of the body, so the same body serves it. */
function bodyOf(exchange: Exchange): RequestBody {
  const { request, connection } = exchange;
  exchange.body ??= new RequestBody(
    request,
    () => {
      exchange.askForBody();
    },
    () => {
      connection.closeAfterAnswer();
    },
  );
  return exchange.body;
}

/**
 * States: connecting → sent → head → done; `settle` ends every one of them, once.
 */
class Attempt implements UpstreamHandler, RunningAttempt {
  readonly #exchange: Exchange;
  readonly #request: ClientRequest;
  readonly #response: ClientAnswer;
  readonly #newBucket: number | undefined;
  readonly #connection: UpstreamConnection;
  readonly #policy: HeaderPolicy;
  readonly #clock: Clock;
  readonly #settle: (outcome: AttemptOutcome) => void;
  #isSent = false;
  #head: ResponseHead | undefined;
  #bytes = 0;
  #informational = 0;
  #isSettled = false;

  constructor(
    exchange: Exchange,
    newBucket: number | undefined,
    connection: UpstreamConnection,
    policy: HeaderPolicy,
    clock: Clock,
    settle: (outcome: AttemptOutcome) => void,
  ) {
    this.#exchange = exchange;
    this.#request = exchange.request;
    this.#response = exchange.response;
    this.#newBucket = newBucket;
    this.#connection = connection;
    this.#policy = policy;
    this.#clock = clock;
    this.#settle = settle;
  }

  cancel(): void {
    this.#end({ kind: 'cancelled' });
  }

  fail(code: ErrorCode): void {
    this.#fail(new PlatformError(code));
  }

  onSent(): void {
    this.#isSent = true;
  }

  onHeaders(status: number, raw: readonly string[]): boolean {
    if (this.#isSettled) return false;
    this.#exchange.answerBegins(this.#clock);
    if (status < 200) {
      this.#informational++;
      if (this.#informational > LIMITS.responseInformationalMax)
        this.#fail(new PlatformError('ROUTE_BAD_RESPONSE', 'too many 1xx answers'));
      return true;
    }
    try {
      this.#start(status, raw);
    } catch (error) {
      this.#fail(error instanceof PlatformError ? error : new PlatformError('ROUTE_BAD_RESPONSE', undefined, { cause: error }));
      return false;
    }
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#isSettled) return false;
    this.#bytes += chunk.length;
    this.#exchange.responseBytes = this.#bytes;
    if (this.#bytes > LIMITS.responseBodyBytesMax) {
      this.#fail(new PlatformError('ROUTE_RESPONSE_TOO_LARGE'));
      return false;
    }
    if (this.#bytes === this.#head?.contentLength) {
      // The last of it: head, body and end leave in one write.
      if (this.#bytes === chunk.length) endWhole(this.#response, chunk);
      else this.#response.end(chunk);
      return true;
    }
    if (this.#response.write(chunk)) return true;
    this.#waitForDrain();
    return false;
  }

  onComplete(trailers: readonly string[]): void {
    if (this.#isSettled) return;
    if (!this.#response.writableEnded) {
      if (trailers.length > 0 && this.#mayTrail()) this.#response.addTrailers(passedTrailers(trailers));
      this.#response.end();
    }
    this.#end({ kind: 'answered' });
  }

  onError(error: Error): void {
    if (this.#isSettled) return;
    const failure = error instanceof PlatformError ? error : new PlatformError('ROUTE_INSTANCE_FAILED', undefined, { cause: error });
    const isInstanceLost = !this.#isSent && failure.code === 'ROUTE_INSTANCE_FAILED';
    this.#end({ kind: 'failed', error: failure, wasDelivered: !isInstanceLost, isInstanceLost });
  }

  #waitForDrain(): void {
    this.#exchange.stalledSinceMs = this.#clock.monotonicMs();
    this.#response.once('drain', () => {
      this.#exchange.stalledSinceMs = undefined;
      if (!this.#isSettled) this.#connection.resume();
    });
  }

  #start(status: number, raw: readonly string[]): void {
    const head = this.#policy.forClient(raw, this.#newBucket);
    this.#head = head;
    const { contentLength = 0 } = head;
    if (contentLength > LIMITS.responseBodyBytesMax && this.#request.method !== 'HEAD') throw new PlatformError('ROUTE_RESPONSE_TOO_LARGE');
    if (head.trailers !== undefined && status !== 204 && status !== 304 && this.#mayTrail()) head.headers.push('Trailer', head.trailers);
    this.#response.writeHead(status, head.headers);
    // Without a length it may be a stream of events, whose head must not wait for the first of them.
    if (head.contentLength === undefined) process.nextTick(flushHead, this.#response);
  }

  /** Trailers go to whoever says that it reads them, after a body without a length. */
  #mayTrail(): boolean {
    const { method, httpVersion, headers } = this.#request;
    return this.#head?.contentLength === undefined && method !== 'HEAD' && httpVersion !== '1.0' && acceptsTrailers(headers.te);
  }

  #fail(error: PlatformError): void {
    this.#end({ kind: 'failed', error, wasDelivered: true, isInstanceLost: false });
  }

  #end(outcome: AttemptOutcome): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    if (outcome.kind === 'answered') this.#connection.keep();
    else this.#connection.discard();
    this.#settle(outcome);
  }
}

/** Node's flushHeaders would send it as UTF-8: an app's bytes above 127 would come as two. */
function flushHead(response: ClientAnswer): void {
  if (!response.writableEnded && !response.destroyed) response.write('', 'latin1');
}
