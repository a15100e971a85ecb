// One HTTP/2 connection before the gRPC library: what its client sends that is no call, or no whole one, is counted, and what takes
// too long is ended (hostile numbers 47 and 50).
import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { type Clock } from '../../../../sdk/support/clock.ts';
import { FrameBudget } from '../../../../sdk/support/frame-budget.ts';
import { type V1Calls } from './calls.ts';
import { type Conversation, type V1Connection } from './connection.ts';
import { type V1PortLimits } from './port-limits.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR } = constants;

const RESETS = { burst: LIMITS.http2ResetsBurst, perSecond: LIMITS.http2ResetsPerSecondMax };
const CONTROL_FRAMES = { burst: LIMITS.http2ControlFramesBurst, perSecond: LIMITS.http2ControlFramesPerSecondMax };

export class GrpcSession implements Conversation {
  readonly #session: ServerHttp2Session;
  readonly #connection: V1Connection;
  readonly #calls: V1Calls;
  readonly #clock: Clock;
  readonly #limits: V1PortLimits;
  readonly #resets: FrameBudget;
  #controlFrames: FrameBudget;
  /** Those whose request has not come whole, and since when. */
  readonly #arriving = new Map<ServerHttp2Stream, number>();
  /** Those whose answer waits to be read, and since when. */
  readonly #answering = new Map<ServerHttp2Stream, number>();
  #streams = 0;
  #refusedCounted = 1;
  #isAsked = false;
  #askedAtMs: number;

  constructor(session: ServerHttp2Session, connection: V1Connection, calls: V1Calls, clock: Clock, limits: V1PortLimits) {
    this.#session = session;
    this.#connection = connection;
    this.#calls = calls;
    this.#clock = clock;
    this.#limits = limits;
    const nowMs = clock.monotonicMs();
    this.#askedAtMs = nowMs;
    this.#resets = new FrameBudget(RESETS, nowMs);
    this.#controlFrames = new FrameBudget(CONTROL_FRAMES, nowMs);
    session.on('stream', (stream: ServerHttp2Stream, _headers: IncomingHttpHeaders, _flags: number, rawHeaders: readonly string[]) => {
      this.#open(stream);
      // The library of HTTP/2 holds to a smaller size than its own only once the client has said that it knows of it.
      if (bytesOf(rawHeaders) > LIMITS.requestHeaderBytesMax) stream.close(NGHTTP2_ENHANCE_YOUR_CALM);
    });
    const onControlFrame = (): void => {
      this.#count(this.#controlFrames);
    };
    session.on('ping', onControlFrame);
    session.on('remoteSettings', onControlFrame);
    session.on('error', () => undefined);
    session.on('close', () => connection.socket.destroy());
  }

  end(): void {
    if (!this.#session.destroyed) this.#session.close();
  }

  /**
   * A peer that is gone without a word answers no PING; nor does one that nghttp2 stopped reading from because it broke the protocol, which
   * nobody is told.
   */
  sweep(nowMs: number): void {
    if (this.#session.destroyed) return;
    for (const slow of [this.#arriving, this.#answering]) {
      for (const [stream, sinceMs] of slow) {
        if (nowMs - sinceMs <= this.#limits.bodyMs) break;
        stream.close(NGHTTP2_ENHANCE_YOUR_CALM);
      }
    }
    // Heads over the limits are refused before a stream is made of them, which nobody is told either.
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

  #open(stream: ServerHttp2Stream): void {
    this.#streams++;
    this.#connection.opened();
    this.#arriving.set(stream, this.#clock.monotonicMs());
    let held = 0;
    let unread = 0;
    // The library writes an answer as soon as it has it, whether anybody reads or not.
    const write = stream.write.bind(stream) as (...args: readonly unknown[]) => boolean;
    stream.write = (chunk: unknown, ...rest: readonly unknown[]): boolean => {
      if (chunk instanceof Uint8Array) {
        if (unread === 0) this.#answering.set(stream, this.#clock.monotonicMs());
        unread += chunk.length;
        this.#calls.answered(chunk.length);
      }
      return write(chunk, ...rest);
    };
    stream.on('data', (chunk: Buffer) => {
      if (this.#calls.hold(chunk.length)) held += chunk.length;
      else stream.close(NGHTTP2_ENHANCE_YOUR_CALM);
    });
    stream.once('end', () => {
      this.#arriving.delete(stream);
    });
    stream.once('close', () => {
      this.#arriving.delete(stream);
      this.#calls.release(held);
      this.#answering.delete(stream);
      this.#calls.read(unread);
      const nowMs = this.#clock.monotonicMs();
      if (stream.rstCode !== NGHTTP2_NO_ERROR || stream.aborted) this.#count(this.#resets);
      // Clients measure a connection by pings while they receive; who calls may ping.
      else this.#controlFrames = new FrameBudget(CONTROL_FRAMES, nowMs);
      this.#connection.answered(nowMs);
    });
  }

  #count(budget: FrameBudget): void {
    if (budget.take(this.#clock.monotonicMs()) || this.#session.destroyed) return;
    this.#session.destroy(new Error('too many frames'), NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

function bytesOf(rawHeaders: readonly string[]): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}
