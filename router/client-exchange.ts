// A client's request and the answer to it, as everything behind the protocol sees them. Node's own objects for HTTP/1
// are such as they stand, so that they cost nothing more; http2-exchange.ts makes such of a stream of HTTP/2.
import { type IncomingHttpHeaders } from 'node:http';
import { type Readable, type Writable } from 'node:stream';
import { type Trailers } from './trailer-policy.ts';

export interface ClientRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** `1.0`, `1.1` or `2.0`. */
  readonly httpVersion: string;
  /** Names and values in turn, as they came; of HTTP/2 as HTTP/1.1 would have sent them. */
  readonly rawHeaders: string[];
  readonly headers: IncomingHttpHeaders;
  /** Known once the body is read to its end. */
  readonly rawTrailers: string[];
  /** Whether the body was read to its end. */
  readonly complete: boolean;
  readonly destroyed: boolean;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  pause(): unknown;
  resume(): unknown;
  [Symbol.asyncIterator](): ReturnType<Readable[typeof Symbol.asyncIterator]>;
}

/**
 * A write of nothing sends a head that waits.
 * Emits `close` when the answer is out or the client is gone.
 */
export interface ClientAnswer extends Writable {
  readonly headersSent: boolean;
  readonly statusCode: number;
  /** Whether the connection may carry another request after it; HTTP/2 has other means. */
  shouldKeepAlive: boolean;
  /** `headers`: names and values in turn. Throws on what cannot be sent. */
  writeHead(status: number, headers: string[]): unknown;
  /** 100: send the body. */
  writeContinue(): void;
  /** For the end of an answer whose head said no length. */
  addTrailers(trailers: Trailers): void;
}
