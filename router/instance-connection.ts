// One kept-alive connection to an instance: one request after the other over a unix socket, each with its answer. Read
// next: answer-parser.ts, what is taken for an answer; upstreams.ts, who may use which connection.
//
//   idle        no request; perhaps a socket, which was kept
//   waiting     a request waits for its turn on the kept socket
//   connecting  a request waits for a new socket
//   exchanging  the request is on its way, the answer is awaited or read
//   closed      discarded
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { PlatformError } from '../sdk/contract/errors.ts';
import { AnswerParser, type AnswerEvents } from './answer-parser.ts';
import { type RequestBody } from './request-body.ts';
import { requestText, type RequestLines } from './request-text.ts';
import { passedTrailers } from './trailer-policy.ts';

export interface UpstreamRequest extends RequestLines {
  readonly body: RequestBody | null;
  /** Whose trailers follow the body; they are known when it ends. */
  readonly trailing: { readonly rawTrailers: readonly string[] } | undefined;
}

export interface UpstreamHandler {
  /** From here on the instance may have some of the request. Perhaps not called before `onError`. */
  onSent(): void;
  /** Of 1xx too. `raw`: names and values in turn. False: the connection waits until it is told to resume. */
  onHeaders(status: number, raw: string[]): boolean;
  /** The chunk is the handler's to keep. False as above. */
  onData(chunk: Buffer): boolean;
  onComplete(trailers: readonly string[]): void;
  /** Ends every exchange that does not complete, perhaps before `dispatch` returns. */
  onError(error: Error): void;
}

/** Who keeps the connection between requests. */
export interface ConnectionOwner {
  /** The request on it is over. Once for each. */
  released(connection: InstanceConnection): void;
  /** It broke while it was kept. */
  lost(connection: InstanceConnection): void;
  /** Calls the connection's `turn` when everything that has come by now was read. */
  queue(connection: InstanceConnection): void;
}

type State = 'idle' | 'waiting' | 'connecting' | 'exchanging' | 'closed';

/** Without a Keep-Alive hint from the app: gunicorn closes after 2 s, most others after 5 s. */
const KEEP_ALIVE_MS = 1_500;
/** Closed this much before the time that the app names, so that we close first. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
const KEEP_ALIVE_MAX_MS = 600_000;
const CONNECT_MS = 5_000;

/** What is small is copied into one string with the head, or out of the buffer that it was read into. */
const SMALL_BYTES = 8 * 1024;
const READ_BYTES = 64 * 1024;
/** Waiting to be written before the client is no longer read from: two reads. */
const WRITE_BYTES = 128 * 1024;
/** Reads that fill less than this are copied rather than keep a whole buffer alive. */
const BULK_BYTES = 16 * 1024;
/** All connections read into it, one at a time, and take what they need out of it at once. */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(READ_BYTES);

/** Methods whose body every program expects; after another's the connection is in doubt. */
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH']);

export class InstanceConnection implements AnswerEvents {
  readonly #socketPath: string;
  readonly #owner: ConnectionOwner;
  readonly #parser: AnswerParser = new AnswerParser(this);
  #state: State = 'idle';
  #socket: Socket | undefined;
  #isKept = false;
  #request: UpstreamRequest | undefined;
  #handler: UpstreamHandler | undefined;
  /** The head until it is written. */
  #lines = '';
  #keeps = true;
  #bodyBytes: number | undefined;
  #bytesSent = 0;
  #isBodyBegun = false;
  #isWhole = false;
  /** First of the body, which a socket refused to take with the head. */
  #held: Buffer | undefined;
  #buffer = SHARED_BUFFER;
  /** Of the answer, came and not read yet. */
  #rest: Buffer | undefined;
  #isPaused = false;
  /** For how long it may be kept after the answer that came last. */
  keepMs = KEEP_ALIVE_MS;
  /** Whatever the owner wants; monotonic. */
  expiresAtMs = 0;

  constructor(socketPath: string, owner: ConnectionOwner) {
    this.#socketPath = socketPath;
    this.#owner = owner;
  }

  /** Whether another request may go over it. */
  get isUsable(): boolean {
    return this.#state === 'idle' && this.#socket !== undefined;
  }

  /** Sends a request. One at a time; `keep` or `discard` ends it. */
  dispatch(request: UpstreamRequest, handler: UpstreamHandler): void {
    const { method, body } = request;
    // Some programs send a body after HEAD all the same.
    this.#keeps = method !== 'HEAD' && (body === null || BODY_METHODS.has(method));
    this.#request = request;
    this.#handler = handler;
    try {
      const { lines, bodyBytes } = requestText(request, body !== null, this.#keeps);
      this.#lines = lines;
      this.#bodyBytes = bodyBytes;
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    if (this.#socket) {
      // What an instance sends unasked, and that it closed, must be seen before anything is written.
      this.#state = 'waiting';
      this.#owner.queue(this);
    } else {
      this.#connect();
    }
  }

  /** Everything that had come was read. */
  turn(): void {
    if (this.#state !== 'waiting') return;
    if (this.#socket) this.#begin();
    else this.#connect();
  }

  /** After a whole answer. */
  keep(): void {
    this.#owner.released(this);
  }

  /** After anything else, in the middle of an exchange too. */
  discard(): void {
    this.close();
    this.#owner.released(this);
  }

  /** Reads on after a listener said to wait. */
  resume(): void {
    if (this.#state !== 'exchanging') return;
    const rest = this.#rest;
    this.#rest = undefined;
    this.#isPaused = false;
    if (rest) this.#read(rest);
    this.#readOn();
  }

  /** Breaks off what is under way; nobody is told. */
  close(): void {
    this.#leaveBody();
    this.#handler = undefined;
    this.#request = undefined;
    this.#state = 'closed';
    this.#drop();
  }

  onHead(status: number, fields: string[]): boolean {
    const handler = this.#handler;
    return handler?.onHeaders(status, fields) === true && handler === this.#handler;
  }

  onBody(chunk: Buffer): boolean {
    const handler = this.#handler;
    const isOwn = this.#buffer !== SHARED_BUFFER && chunk.buffer === this.#buffer.buffer;
    return handler?.onData(isOwn ? chunk : Buffer.from(chunk)) === true && handler === this.#handler;
  }

  #connect(): void {
    this.#state = 'connecting';
    this.#isKept = false;
    this.#buffer = SHARED_BUFFER;
    const socket = connect({
      path: this.#socketPath,
      timeout: CONNECT_MS,
      writableHighWaterMark: WRITE_BYTES,
      onread: { buffer: this.#nextBuffer, callback: this.#onRead },
    } as NetConnectOpts);
    this.#socket = socket;
    const ifCurrent = (action: (error?: Error) => void) => (error?: Error) => {
      if (socket === this.#socket) action(error);
    };
    socket.on('connect', ifCurrent(this.#onConnect));
    socket.on('timeout', ifCurrent(this.#onBroken));
    socket.on('drain', ifCurrent(this.#onDrain));
    socket.on('end', ifCurrent(this.#onEnd));
    socket.on('error', ifCurrent(this.#onBroken));
    socket.on('close', ifCurrent(this.#onBroken));
  }

  readonly #onConnect = (): void => {
    this.#socket?.setTimeout(0);
    this.#begin();
  };

  #begin(): void {
    const { method, body } = this.#request ?? {};
    this.#state = 'exchanging';
    this.#parser.begin(method === 'HEAD');
    if (!body) {
      this.#isWhole = true;
      if (this.#write(`${this.#lines}\r\n`)) this.#handler?.onSent();
    } else if (this.#isBodyBegun) {
      // On another socket than the one that took nothing.
      if (this.#writeHead(this.#held)) body.resume();
    } else {
      this.#handler?.onSent();
      this.#bytesSent = 0;
      this.#isWhole = false;
      this.#isBodyBegun = true;
      body.on('data', this.#onBodyData);
      body.on('end', this.#onBodyEnd);
      body.on('error', this.#onBodyError);
      // With the first of the body where that is there, by itself where it is not.
      setImmediate(this.#writeLateHead);
    }
  }

  readonly #writeLateHead = (): void => {
    if (this.#state === 'exchanging' && this.#lines !== '' && this.#held === undefined && this.#isBodyBegun) this.#writeHead(undefined);
  };

  /** Returns whether it is on its way. */
  #writeHead(chunk: Buffer | undefined): boolean {
    const head = this.#bodyBytes === undefined ? `${this.#lines}transfer-encoding: chunked\r\n\r\n` : `${this.#lines}\r\n`;
    this.#held = chunk;
    let isOnItsWay: boolean;
    if (chunk !== undefined && chunk.length <= SMALL_BYTES) {
      isOnItsWay = this.#write(head + this.#framed(chunk.toString('latin1'), chunk.length));
    } else {
      isOnItsWay = this.#write(head);
      if (chunk && isOnItsWay) this.#writeChunk(chunk);
    }
    if (isOnItsWay) this.#held = undefined;
    return isOnItsWay;
  }

  /** The first of a request. Returns false when a kept socket took nothing at all of it: then another is asked for. */
  #write(text: string): boolean {
    const socket = this.#socket;
    if (!socket) return false;
    if (!socket.write(text, 'latin1') && this.#isBodyBegun) this.#request?.body?.pause();
    // Said at once only by the write itself, before the first byte was taken.
    if (this.#isKept && socket.errored) {
      this.#replaceSocket();
      return false;
    }
    this.#lines = '';
    return true;
  }

  /** Nothing of the request went over the kept one. */
  #replaceSocket(): void {
    this.#drop();
    this.#request?.body?.pause();
    this.#connect();
  }

  readonly #onBodyData = (chunk: Buffer): void => {
    // A chunk of no bytes would end the body.
    if (chunk.length === 0) return;
    this.#bytesSent += chunk.length;
    if (this.#bodyBytes !== undefined && this.#bytesSent > this.#bodyBytes) {
      this.#fail(new PlatformError('ROUTE_BAD_REQUEST', 'the body is longer than its Content-Length'));
      return;
    }
    if (this.#lines !== '') this.#writeHead(chunk);
    else this.#writeChunk(chunk);
  };

  #framed(text: string, bytes: number): string {
    return this.#bodyBytes === undefined ? `${bytes.toString(16)}\r\n${text}\r\n` : text;
  }

  #writeChunk(chunk: Buffer): void {
    const socket = this.#socket;
    if (!socket) return;
    let isTaken: boolean;
    if (this.#bodyBytes !== undefined) {
      isTaken = socket.write(chunk);
    } else if (chunk.length <= SMALL_BYTES) {
      isTaken = socket.write(this.#framed(chunk.toString('latin1'), chunk.length), 'latin1');
    } else {
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      isTaken = socket.write('\r\n', 'latin1');
      socket.uncork();
    }
    if (!isTaken) this.#request?.body?.pause();
  }

  readonly #onDrain = (): void => {
    if (this.#isBodyBegun && !this.#isWhole && this.#lines === '') this.#request?.body?.resume();
  };

  readonly #onBodyEnd = (): void => {
    if (this.#bodyBytes !== undefined && this.#bytesSent !== this.#bodyBytes) {
      this.#fail(new PlatformError('ROUTE_BAD_REQUEST', 'the body is shorter than its Content-Length'));
      return;
    }
    if (this.#lines !== '') this.#writeHead(undefined);
    this.#isWhole = true;
    if (this.#bodyBytes !== undefined) return;
    let end = '0\r\n';
    for (const [name, value] of passedTrailers(this.#request?.trailing?.rawTrailers)) end += `${name}: ${value}\r\n`;
    this.#socket?.write(`${end}\r\n`, 'latin1');
  };

  readonly #onBodyError = (error: Error): void => {
    this.#fail(error);
  };

  /** What of the body is still to come is of no use. */
  #leaveBody(): void {
    this.#lines = '';
    this.#held = undefined;
    if (!this.#isBodyBegun) return;
    this.#isBodyBegun = false;
    const body = this.#request?.body;
    body?.off('data', this.#onBodyData).off('end', this.#onBodyEnd).off('error', this.#onBodyError);
    if (!this.#isWhole) body?.destroy();
  }

  readonly #nextBuffer = (): Buffer => this.#buffer;

  readonly #onRead = (count: number, buffer: Uint8Array): boolean => {
    if (this.#state !== 'exchanging' || this.#lines !== '') {
      // Sent unasked: whatever it belongs to, it is no answer to the next request.
      this.#onBroken();
      return true;
    }
    this.#read((buffer as Buffer).subarray(0, count));
    const isBulk = count >= BULK_BYTES && !this.#parser.isComplete && this.#socket !== undefined;
    // What was handed on must not be read into again.
    this.#buffer = isBulk ? Buffer.allocUnsafeSlow(READ_BYTES) : SHARED_BUFFER;
    return true;
  };

  #read(bytes: Buffer): void {
    let taken: number;
    try {
      taken = this.#parser.execute(bytes);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    // A listener may have broken it off.
    if (this.#state !== 'exchanging') return;
    if (this.#parser.isComplete) {
      this.#complete(taken === bytes.length);
    } else if (this.#parser.isStopped) {
      if (taken < bytes.length) this.#rest = Buffer.from(bytes.subarray(taken));
      this.#isPaused = true;
      this.#socket?.pause();
    }
  }

  #readOn(): void {
    if (!this.#isPaused) this.#socket?.resume();
  }

  /** `isClean`: nothing came after the answer. */
  #complete(isClean: boolean): void {
    const handler = this.#handler;
    const { mayKeep, keepAliveMs, trailers } = this.#parser;
    const keepMs = keepAliveMs === undefined ? KEEP_ALIVE_MS : Math.min(keepAliveMs - KEEP_ALIVE_MARGIN_MS, KEEP_ALIVE_MAX_MS);
    if (!isClean || !mayKeep || !this.#keeps || !this.#isWhole) this.#drop();
    this.#leaveBody();
    this.#handler = undefined;
    this.#request = undefined;
    this.#state = 'idle';
    this.#isKept = true;
    this.keepMs = keepMs;
    try {
      handler?.onComplete(trailers);
    } catch (error) {
      handler?.onError(error as Error);
    }
  }

  readonly #onEnd = (): void => {
    if (this.#state !== 'exchanging') {
      this.#onBroken();
    } else if (this.#parser.finish()) {
      this.#complete(false);
    } else if (this.#parser.endsEarly) {
      this.#fail(new PlatformError('ROUTE_BAD_RESPONSE', 'it ends before its body does'));
    } else {
      this.#onBroken();
    }
  };

  readonly #onBroken = (cause?: Error): void => {
    switch (this.#state) {
      case 'idle':
        this.#drop();
        this.#owner.lost(this);
        break;
      case 'waiting':
        // Another socket is asked for when it is the request's turn.
        this.#drop();
        break;
      case 'exchanging':
        if (this.#isKept && this.#lines !== '') {
          this.#replaceSocket();
          break;
        }
        // A program that leaves some of the request unread resets the connection by closing it.
        if (cause && 'code' in cause && cause.code === 'ECONNRESET' && this.#parser.finish()) this.#complete(false);
        else this.#fail(new PlatformError('ROUTE_INSTANCE_FAILED', undefined, { cause }));
        break;
      case 'connecting':
        this.#fail(new PlatformError('ROUTE_INSTANCE_FAILED', undefined, { cause }));
        break;
      case 'closed':
        break;
    }
  };

  #fail(error: Error): void {
    const handler = this.#handler;
    this.close();
    handler?.onError(error);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#rest = undefined;
    if (!socket) return;
    // Its errors are nobody's from here on, but must be heard.
    socket.on('error', ignore);
    socket.destroy();
  }
}

function ignore(): void {}
