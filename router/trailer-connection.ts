// A connection for the rare request whose body is followed by trailers, which undici cannot send: Node's own client
// over a socket of its own, behind the same interface.
import { request as startRequest, type ClientRequest as Outgoing, type IncomingMessage } from 'node:http';
import { type Dispatcher } from 'undici';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type ClientRequest } from './client-exchange.ts';
import { type RequestBody } from './request-body.ts';
import { passedTrailers } from './trailer-policy.ts';
import { type UpstreamConnection, type UpstreamHandler } from './upstreams.ts';

export class TrailerConnection implements UpstreamConnection {
  readonly #socketPath: string;
  readonly #request: ClientRequest;
  readonly #body: RequestBody;
  #outgoing: Outgoing | undefined;

  constructor(socketPath: string, request: ClientRequest, body: RequestBody) {
    this.#socketPath = socketPath;
    this.#request = request;
    this.#body = body;
  }

  /** `headers` must be names and values in turn. */
  dispatch(options: Dispatcher.DispatchOptions, handler: UpstreamHandler): void {
    const { path, method, headers } = options;
    const outgoing = startRequest({
      socketPath: this.#socketPath,
      agent: false,
      path,
      method,
      headers: [...(headers as readonly string[]), 'Transfer-Encoding', 'chunked', 'Connection', 'close'],
      maxHeaderSize: LIMITS.responseHeaderBytesMax,
    });
    this.#outgoing = outgoing;
    const fail = (error: Error): void => {
      outgoing.destroy();
      handler.onError(error);
    };
    outgoing.on('error', fail);
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy();
      fail(new PlatformError('ROUTE_BAD_RESPONSE', 'it upgrades what asked for no upgrade'));
    });
    outgoing.on('information', ({ statusCode, rawHeaders }) => {
      handler.onHeaders(statusCode, rawHeaders.map(bytesOf), () => undefined);
    });
    outgoing.on('response', (response) => {
      relay(response, handler, fail);
    });
    outgoing.once('socket', (socket) => {
      socket.once('connect', () => {
        handler.onConnect((error) => {
          outgoing.destroy(error);
        });
        this.#send(outgoing);
      });
    });
  }

  keep(): void {
    this.discard();
  }

  discard(): void {
    this.#outgoing?.destroy();
  }

  #send(outgoing: Outgoing): void {
    const body = this.#body;
    body.on('data', (chunk: Buffer) => {
      if (outgoing.write(chunk)) return;
      body.pause();
      outgoing.once('drain', () => body.resume());
    });
    body.on('end', () => {
      outgoing.addTrailers(passedTrailers(this.#request.rawTrailers));
      outgoing.end();
    });
    body.on('error', (error) => outgoing.destroy(error));
  }
}

/** Whether Node's own parser refused an answer. */
export function isParserError(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && error.code.startsWith('HPE_');
}

function relay(response: IncomingMessage, handler: UpstreamHandler, fail: (error: Error) => void): void {
  const resume = (): void => {
    response.resume();
  };
  response.on('error', fail);
  if (!handler.onHeaders(response.statusCode ?? 0, response.rawHeaders.map(bytesOf), resume)) response.pause();
  response.on('data', (chunk: Buffer) => {
    if (!handler.onData(chunk)) response.pause();
  });
  response.on('end', () => {
    handler.onComplete(response.rawTrailers);
  });
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
