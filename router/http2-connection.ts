// One HTTP/2 connection: its settings, its limits, and each of its streams handed on as a request of its own. What does
// not come as a request is counted, because clients can make a server work without asking for anything (security: 50).
//
//   open      streams come and go
//   ending    GOAWAY is sent; streams under way are finished
//   closed    by either side, or by the budget
import { constants, performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { PlatformError, type ErrorCode } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Clock } from '../sdk/support/clock.ts';
import { type ClientConnection, type ConnectionRequest, type RequestClient } from './client-connection.ts';
import { type ClientAnswer, type ClientRequest } from './client-exchange.ts';
import { FrameBudget } from '../sdk/support/frame-budget.ts';
import { Http2Answer, Http2Request } from './http2-exchange.ts';
import { http1Head } from './http2-head.ts';
import { type Load } from './load-caps.ts';

export type RequestHandler = (request: ClientRequest, answer: ClientAnswer, client: RequestClient, isContinueAwaited: boolean) => void;

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_PROTOCOL_ERROR } = constants;

/** What one stream's client may send ahead of the app; a connection has as much for all its streams. */
const WINDOW_BYTES = 256 * 1024;

const OPTIONS = {
  settings: {
    maxConcurrentStreams: LIMITS.http2StreamsMax,
    initialWindowSize: WINDOW_BYTES,
    // Twice what is served, so that what is a little too large gets its 431 and not just a reset.
    maxHeaderListSize: 2 * LIMITS.requestHeaderBytesMax,
    enableConnectProtocol: false,
  },
  // With the pseudo-headers; the guard counts as for HTTP/1.
  maxHeaderListPairs: 2 * LIMITS.requestHeadersMax,
  maxSessionMemory: 8,
  maxSessionInvalidFrames: 50,
  maxSessionRejectedStreams: 50,
  maxOutstandingPings: 4,
  maxSettings: 16,
};

const RESETS = { burst: LIMITS.http2ResetsBurst, perSecond: LIMITS.http2ResetsPerSecondMax };
const CONTROL_FRAMES = { burst: LIMITS.http2ControlFramesBurst, perSecond: LIMITS.http2ControlFramesPerSecondMax };

export class Http2Connection {
  readonly #connection: ClientConnection;
  readonly #session: ServerHttp2Session;
  readonly #clock: Clock;
  readonly #handle: RequestHandler;
  readonly #resets: FrameBudget;
  readonly #controlFrames: FrameBudget;
  /** Whether the peer has yet to answer that it is there, and when it was asked. */
  #isAsked = false;
  #askedAtMs: number;
  #streams = 0;
  #refusedCounted = 1;

  /** Serves until the connection closes. */
  constructor(connection: ClientConnection, clock: Clock, handle: RequestHandler) {
    this.#connection = connection;
    this.#clock = clock;
    this.#handle = handle;
    const nowMs = clock.monotonicMs();
    this.#askedAtMs = nowMs;
    this.#resets = new FrameBudget(RESETS, nowMs);
    this.#controlFrames = new FrameBudget(CONTROL_FRAMES, nowMs);
    const session = performServerHandshake(connection.socket, OPTIONS);
    this.#session = session;
    session.setLocalWindowSize(WINDOW_BYTES);
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]) => {
      this.#open(stream, headers, rawHeaders);
    });
    session.on('ping', this.#onControlFrame);
    session.on('remoteSettings', this.#onControlFrame);
    // Broken connections and broken frames alike: the session ends by itself, and its streams with it.
    session.on('error', () => undefined);
    session.on('close', () => connection.socket.destroy());
  }

  /**
   * Closes the connection of a peer that is gone without a word. nghttp2 also stops reading from a peer that breaks the
   * protocol, and tells nobody; such a one answers no PING either. Call it about once a second.
   */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#session.destroyed) return;
    // Heads over the limits are refused before a stream is made of them, which nobody tells either.
    const refused = (this.#session.state.lastProcStreamID ?? 0) / 2 - this.#streams;
    for (; this.#refusedCounted < refused; this.#refusedCounted++) this.#count(this.#resets);
    const sinceMs = nowMs - this.#askedAtMs;
    if (this.#isAsked) {
      if (sinceMs > LIMITS.http2SilenceMs) this.#session.destroy();
    } else if (sinceMs > LIMITS.http2SilenceMs / 2) {
      this.#askedAtMs = nowMs;
      this.#isAsked = true;
      this.#session.ping((error) => {
        this.#isAsked = error !== null;
      });
    }
  }

  /** GOAWAY: streams under way are finished, no new ones taken. */
  end(): void {
    if (!this.#session.destroyed) this.#session.close();
  }

  #open(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): void {
    this.#streams++;
    // Every failure of a stream ends with its 'close'.
    stream.on('error', () => undefined);
    stream.once('close', () => {
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || stream.aborted) this.#count(this.#resets);
    });
    const head = http1Head(rawHeaders, !stream.endAfterHeaders);
    if (head === 'malformed') {
      stream.close(NGHTTP2_PROTOCOL_ERROR);
      return;
    }
    if (head === 'too-large') {
      stream.respond({ ':status': new PlatformError('ROUTE_HEADERS_TOO_LARGE').row.httpStatus }, { endStream: true });
      return;
    }
    const request = new Http2Request(stream, head, headers);
    const answer = new Http2Answer(stream, request);
    const isContinueAwaited = headers.expect?.toLowerCase() === '100-continue';
    this.#handle(request, answer, new StreamClient(this.#connection, stream), isContinueAwaited);
  }

  readonly #onControlFrame = (): void => {
    this.#count(this.#controlFrames);
  };

  #count(budget: FrameBudget): void {
    if (budget.take(this.#clock.monotonicMs()) || this.#session.destroyed) return;
    this.#session.destroy(new Error('too many frames'), NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

/** Whoever sent one stream. */
class StreamClient implements RequestClient {
  readonly #connection: ClientConnection;
  readonly #stream: ServerHttp2Stream;
  readonly isEnding = false;
  #gone: AbortController | undefined;

  constructor(connection: ClientConnection, stream: ServerHttp2Stream) {
    this.#connection = connection;
    this.#stream = stream;
  }

  get address(): string {
    return this.#connection.address;
  }

  get isPlatform(): boolean {
    return this.#connection.isPlatform;
  }

  get isTls(): boolean {
    return this.#connection.isTls;
  }

  get load(): Load {
    return this.#connection.load;
  }

  get gone(): AbortSignal {
    if (!this.#gone) {
      const controller = new AbortController();
      this.#gone = controller;
      const abort = (): void => {
        controller.abort(new PlatformError('CANCELLED'));
      };
      if (this.#stream.destroyed) abort();
      else this.#stream.once('close', abort);
    }
    return this.#gone.signal;
  }

  opened(request: ConnectionRequest): void {
    this.#connection.opened(request);
  }

  answered(request: ConnectionRequest): void {
    this.#connection.answered(request);
  }

  sends(): boolean {
    return true;
  }

  admit(): void {
    this.#connection.admit();
  }

  bodyError(): ErrorCode | undefined {
    return this.#stream.aborted ? 'CANCELLED' : undefined;
  }

  /** A stream ends with its answer in any case, and what follows on the connection is framed for itself. */
  end(): void {}

  /** The window stays shut. */
  closeAfterAnswer(): void {
    this.#stream.pause();
  }
}
