// One stream of HTTP/2 as a request and an answer. Read next: http2-connection.ts, which makes them.
import { type IncomingHttpHeaders } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { Writable } from 'node:stream';
import { type ClientAnswer, type ClientRequest } from './client-exchange.ts';
import { type Http1Head } from './http2-head.ts';
import { type Trailers } from './trailer-policy.ts';

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** Belongs to one connection, which HTTP/2 does not have in this sense. */
const NOT_IN_HTTP2 = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);
const WITHOUT_BODY = new Set([204, 205, 304]);

export class Http2Request implements ClientRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersion = '2.0';
  readonly rawHeaders: string[];
  readonly headers: IncomingHttpHeaders;
  readonly rawTrailers: string[] = [];
  readonly #stream: ServerHttp2Stream;

  /** `headers` as Node reads them; their pseudo-headers do no harm. */
  constructor(stream: ServerHttp2Stream, { method, url, rawHeaders }: Http1Head, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.method = method;
    this.url = url;
    this.rawHeaders = rawHeaders;
    this.headers = headers;
    stream.on('trailers', (trailers: IncomingHttpHeaders) => {
      for (const [name, value] of Object.entries(trailers)) {
        for (const each of Array.isArray(value) ? value : [value ?? '']) this.rawTrailers.push(name, each);
      }
    });
  }

  get complete(): boolean {
    return this.#stream.endAfterHeaders || this.#stream.readableEnded;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed;
  }

  on(event: 'data' | 'end' | 'close' | 'error', listener: ((chunk: Buffer) => void) | (() => void) | ((error: Error) => void)): this {
    this.#stream.on(event, listener);
    return this;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  [Symbol.asyncIterator](): ReturnType<ServerHttp2Stream[typeof Symbol.asyncIterator]> {
    return this.#stream[Symbol.asyncIterator]();
  }
}

export class Http2Answer extends Writable implements ClientAnswer {
  readonly #stream: ServerHttp2Stream;
  readonly #request: Http2Request;
  statusCode = 200;
  shouldKeepAlive = true;
  #isBodiless = false;
  #trailers: Trailers = [];

  constructor(stream: ServerHttp2Stream, request: Http2Request) {
    super({ highWaterMark: 64 * 1024 });
    this.#stream = stream;
    this.#request = request;
    stream.on('close', () => this.destroy());
    stream.on('wantTrailers', () => {
      stream.sendTrailers(Object.fromEntries(this.#trailers));
    });
  }

  get headersSent(): boolean {
    return this.#stream.headersSent;
  }

  writeHead(status: number, headers: string[]): void {
    const stream = this.#stream;
    this.statusCode = status;
    if (stream.destroyed || stream.closed) return;
    const fields = headerObject(headers);
    this.#isBodiless = this.#request.method === 'HEAD' || WITHOUT_BODY.has(status);
    const waitForTrailers = !this.#isBodiless && fields['content-length'] === undefined;
    stream.respond({ ...fields, ':status': status }, { endStream: this.#isBodiless, waitForTrailers });
  }

  writeContinue(): void {
    if (!this.#stream.destroyed && !this.#stream.closed) this.#stream.additionalHeaders({ ':status': 100 });
  }

  addTrailers(trailers: Trailers): void {
    this.#trailers = trailers;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    // A write of nothing is for the head, which is always sent at once.
    if (this.#isBodiless || chunk.length === 0) callback();
    // Called back when the client's window has let it out: that is the back-pressure.
    else this.#stream.write(chunk, callback);
  }

  override _final(callback: () => void): void {
    const stream = this.#stream;
    stream.end(() => {
      callback();
      // What the client still sends is not wanted (RFC 9113, section 8.1).
      if (!this.#request.complete) stream.close(NGHTTP2_NO_ERROR);
    });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // The client must see that the answer is cut short.
    if (!this.writableFinished && !this.#stream.closed) this.#stream.close(NGHTTP2_INTERNAL_ERROR);
    callback(error);
  }
}

/** In lower case; a name that comes twice has a list. */
function headerObject(headers: readonly string[]): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = {};
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = (headers[index] ?? '').toLowerCase();
    const value = headers[index + 1] ?? '';
    if (NOT_IN_HTTP2.has(name)) continue;
    const before = Object.hasOwn(object, name) ? object[name] : undefined;
    object[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return object;
}
