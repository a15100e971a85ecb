// One plain request of a client and its answer, with the state that everyone who works on it shares.
//
//   open      nothing of the answer is sent
//   started   the head is sent or given to the connection (`response.headersSent`)
//   closed    the answer is out, or the client is gone
import { type ErrorCode } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type RequestClient } from './client-connection.ts';
import { type ClientAnswer, type ClientRequest } from './client-exchange.ts';
import { type RequestBody } from './request-body.ts';
import { RequestRecord } from './request-record.ts';
import { type RequestStart } from './request-start.ts';

/** What of an exchange can be stopped from outside: the attempt on an instance that is under way. */
export interface RunningAttempt {
  /** The client went away. */
  cancel(): void;
  /** A limit was reached. */
  fail(code: ErrorCode): void;
}

/** How long the body may come too slowly before it is cut. */
const SLOW_BODY_MS = 10_000;

export class Exchange extends RequestRecord {
  readonly response: ClientAnswer;
  readonly connection: RequestClient;

  body: RequestBody | undefined;
  attempt: RunningAttempt | undefined;
  /** Whether the client waits for 100 before it sends the body. */
  isContinueAwaited = false;
  responseBytes = 0;
  /** In the dispatcher's set of requests under way. */
  place = -1;
  isClosed = false;
  /** Monotonic time since which the client takes nothing of a waiting answer. */
  stalledSinceMs: number | undefined;
  #bodyCheck: { readonly bytes: number; readonly atMs: number } | undefined;
  #answerCheck: { readonly taken: number; readonly atMs: number } | undefined;

  readonly #onClosed: (exchange: Exchange) => void;

  /** `onClosed` is called once, when the answer is out or the client is gone. */
  constructor(
    request: ClientRequest,
    response: ClientAnswer,
    connection: RequestClient,
    start: RequestStart,
    onClosed: (exchange: Exchange) => void,
  ) {
    super(request, connection.address, start);
    this.response = response;
    this.connection = connection;
    this.#onClosed = onClosed;
    response.on('close', () => {
      this.closed();
    });
  }

  /** The body is about to be read, so now a client that waits for it is asked to send it; never before. */
  askForBody(): void {
    if (!this.isContinueAwaited) return;
    this.isContinueAwaited = false;
    this.response.writeContinue();
  }

  /** From the request's start. */
  get deadlineMs(): number {
    return this.route?.deadlineMs ?? LIMITS.requestDeadlineMs;
  }

  closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#onClosed(this);
  }

  /** The limit of time that is passed now, if any. `nowMs` is monotonic. */
  overdue(nowMs: number): 'ROUTE_DEADLINE' | 'ROUTE_REQUEST_TIMEOUT' | 'CANCELLED' | undefined {
    if (this.stalledSinceMs !== undefined && nowMs - this.stalledSinceMs > LIMITS.responseStallMs) return 'CANCELLED';
    if (this.#isAnswerStuck(nowMs)) return 'CANCELLED';
    if (nowMs - this.start.startedMs > this.deadlineMs) return 'ROUTE_DEADLINE';
    return this.#isBodySlow(nowMs) ? 'ROUTE_REQUEST_TIMEOUT' : undefined;
  }

  /** Of an answer that is not an instance's, or no longer: a file, a page, the end of what an app said. */
  #isAnswerStuck(nowMs: number): boolean {
    const { response } = this;
    const isOurs = response.headersSent && this.attempt === undefined && this.connection.sends(this);
    const left = isOurs ? response.writableLength : 0;
    const taken = this.responseBytes - left;
    if (left === 0 || this.#answerCheck?.taken !== taken) {
      this.#answerCheck = left === 0 ? undefined : { taken, atMs: nowMs };
      return false;
    }
    return nowMs - this.#answerCheck.atMs > LIMITS.responseStallMs;
  }

  #isBodySlow(nowMs: number): boolean {
    const { body } = this;
    if (!body?.isWaitingForClient) {
      this.#bodyCheck = undefined;
      return false;
    }
    const check = this.#bodyCheck;
    if (check && nowMs - check.atMs < SLOW_BODY_MS) return false;
    this.#bodyCheck = { bytes: body.bytes, atMs: nowMs };
    return check !== undefined && body.bytes - check.bytes < (LIMITS.requestBodyBytesPerSecondMin * (nowMs - check.atMs)) / 1_000;
  }
}
