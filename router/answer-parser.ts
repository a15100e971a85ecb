// The answer of an instance, read strictly. Pure, and the same for any split of the same bytes. Whatever HTTP/1.1 lets
// parsers read differently is refused with ROUTE_BAD_RESPONSE, never guessed: two readings of one answer are how an answer
// reaches the wrong visitor (RFC 9112, sections 5 to 7 and 11).
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';

export interface AnswerEvents {
  /** Of 1xx too. `fields`: names and values in turn, as they came. False: the parser stops after it. */
  onHead(status: number, fields: string[]): boolean;
  /** `chunk` lies in the bytes that were given. False: the parser stops after it. */
  onBody(chunk: Buffer): boolean;
}

/**
 *   head         the status line and the fields, in `#section` what of them came so far
 *   length       a body of which `#left` bytes are to come
 *   until-close  a body that ends with the connection
 *   size, extension, size-end, data, data-cr, data-lf
 *                the parts of a chunk in turn, `#left` bytes of its data to come
 *   trailers     the fields after the last chunk, in `#section` what of them came so far
 *   complete     all came; what follows is none of it
 */
type State =
  'head' | 'length' | 'until-close' | 'size' | 'extension' | 'size-end' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'complete';

const STATUS_LINE = 'HTTP/1\\.[01] [1-9]\\d\\d(?: [\\t\\x20-\\x7e\\x80-\\xff]*)?\\r\\n';
const FIELD_LINE = "[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n";
const WHOLE_HEAD = new RegExp(`^${STATUS_LINE}(?:${FIELD_LINE})*\\r\\n$`);
const FIRST_LINE = new RegExp(`^${STATUS_LINE}$`);
const NEXT_LINE = new RegExp(`^(?:${FIELD_LINE}|\\r\\n)$`);
const BEGINNING = 'HTTP/1.';
const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = /^\d{1,15}$/;
const KEEP_ALIVE_SECONDS = /(?:^|[,\s])timeout=(\d{1,6})/i;
const SIZE_DIGITS_MAX = 16;
const [TAB, LF, CR, SPACE, SEMICOLON, DELETE] = [9, 10, 13, 32, 59, 127];

export class AnswerParser {
  readonly #events: AnswerEvents;
  #state: State = 'complete';
  #isToHead = false;
  #section = '';
  #line = '';
  #left = 0;
  #digits = 0;
  #extensionBytes = 0;
  #isStopped = false;
  /** Whether the connection may carry another request once the answer is complete, as far as the answer tells. */
  mayKeep = false;
  /** Milliseconds for which the instance says that it keeps the connection. */
  keepAliveMs: number | undefined;
  #hint = '';
  #hintMs: number | undefined;
  /** Names and values in turn. */
  trailers: string[] = [];

  constructor(events: AnswerEvents) {
    this.#events = events;
  }

  get isComplete(): boolean {
    return this.#state === 'complete';
  }

  /** Whether the answer said that the connection ends with it, and its body is under way: then an end is its own mistake. */
  get endsEarly(): boolean {
    return !this.mayKeep && this.#state !== 'head' && this.#state !== 'complete';
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** For the answer to the next request. `isToHead`: whether that is a HEAD, whose answer has no body whatever it says. */
  begin(isToHead: boolean): void {
    this.#state = 'head';
    this.#isToHead = isToHead;
    this.#section = '';
    this.#line = '';
    this.#extensionBytes = 0;
    this.#isStopped = false;
    this.mayKeep = false;
    if (this.trailers.length > 0) this.trailers = [];
  }

  /**
   * Reads on. Returns how many of the bytes were taken, which is less than all when an event's listener said to stop, or
   * when the answer is complete. Throws ROUTE_BAD_RESPONSE, after which it must not be used again.
   */
  execute(bytes: Buffer): number {
    this.#isStopped = false;
    let at = 0;
    while (at < bytes.length && !this.#isStopped) {
      switch (this.#state) {
        case 'head':
          at = this.#head(bytes, at);
          break;
        case 'length':
          at = this.#data(bytes, at);
          if (this.#left === 0) this.#state = 'complete';
          break;
        case 'until-close':
          this.#isStopped = !this.#events.onBody(at === 0 ? bytes : bytes.subarray(at));
          at = bytes.length;
          break;
        case 'size':
          at = this.#size(bytes, at);
          break;
        case 'extension':
          at = this.#extension(bytes, at);
          break;
        case 'size-end':
          demand(bytes[at++] === LF, 'a chunk’s size does not end its line');
          this.#state = this.#left === 0 ? 'trailers' : 'data';
          break;
        case 'data':
          at = this.#data(bytes, at);
          if (this.#left === 0) this.#state = 'data-cr';
          break;
        case 'data-cr':
          demand(bytes[at++] === CR, 'a chunk is longer than its size');
          this.#state = 'data-lf';
          break;
        case 'data-lf':
          demand(bytes[at++] === LF, 'a chunk is longer than its size');
          this.#beginChunk();
          break;
        case 'trailers':
          at = this.#gather(bytes, at);
          break;
        case 'complete':
          return at;
      }
    }
    return at;
  }

  /** The connection ended in order. Returns whether that completes the answer. */
  finish(): boolean {
    if (this.#state === 'until-close') this.#state = 'complete';
    return this.#state === 'complete';
  }

  #head(bytes: Buffer, from: number): number {
    // Nearly always whole and in one piece; 1xx may come before.
    if (this.#section !== '' || this.#line !== '') return this.#gather(bytes, from);
    const end = bytes.indexOf(HEAD_END, from);
    if (end < 0) return this.#gather(bytes, from);
    const to = end + HEAD_END.length;
    refuseLong(to - from);
    const text = bytes.toString('latin1', from, to);
    demand(WHOLE_HEAD.test(text), 'its head is malformed');
    this.#readHead(text);
    return to;
  }

  /** Line by line, each judged as soon as it is whole, so that what will never be an answer is not waited for. */
  #gather(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length) {
      const lineEnd = bytes.indexOf(LF, at);
      const to = lineEnd < 0 ? bytes.length : lineEnd + 1;
      this.#line += bytes.toString('latin1', at, to);
      at = to;
      refuseLong(this.#section.length + this.#line.length);
      const isFirst = this.#state === 'head' && this.#section === '';
      if (isFirst && this.#line.length <= BEGINNING.length) demand(BEGINNING.startsWith(this.#line), 'it does not begin like an answer');
      if (lineEnd < 0) break;
      const line = this.#line;
      demand((isFirst ? FIRST_LINE : NEXT_LINE).test(line), 'its head is malformed');
      this.#section += line;
      this.#line = '';
      if (line !== '\r\n') continue;
      const section = this.#section;
      this.#section = '';
      if (this.#state === 'head') {
        this.#readHead(section);
      } else {
        this.trailers = fieldsOf(section, 0);
        this.#state = 'complete';
      }
      break;
    }
    return at;
  }

  #readHead(text: string): void {
    const status = Number(text.slice(9, 12));
    const isOld = text.charCodeAt(7) === 48;
    const fields = fieldsOf(text, text.indexOf('\r\n') + 2);
    let length: string | undefined;
    let isChunked = false;
    let closes = isOld;
    this.keepAliveMs = undefined;
    for (let index = 0; index < fields.length; index += 2) {
      const name = fields[index] ?? '';
      // Lengths first: comparing every name in lower case would cost more than all else here.
      switch (name.length) {
        case 10: {
          const value = fields[index + 1] ?? '';
          const exact = name.toLowerCase();
          if (exact === 'connection') closes ||= saysClose(value);
          else if (exact === 'keep-alive') this.#readKeepAlive(value);
          break;
        }
        case 14:
          if (name.toLowerCase() !== 'content-length') break;
          demand(length === undefined, 'it has two Content-Lengths');
          length = fields[index + 1] ?? '';
          demand(LENGTH.test(length), 'its Content-Length is not one number');
          break;
        case 17:
          if (name.toLowerCase() !== 'transfer-encoding') break;
          demand(!isChunked && fields[index + 1]?.toLowerCase() === 'chunked', 'its Transfer-Encoding is not exactly chunked');
          isChunked = true;
          break;
      }
    }
    demand(!isChunked || !isOld, 'Transfer-Encoding needs HTTP/1.1');
    demand(!isChunked || length === undefined, 'it has both Content-Length and Transfer-Encoding');
    if (status < 200) {
      // Neither was asked for: no request says Expect or Upgrade.
      demand(status !== 100 && status !== 101, 'it continues or upgrades what did not ask for it');
      demand(!isChunked && length === undefined, 'a 1xx answer has a body');
    } else {
      this.#frame(status, isChunked, length === undefined ? undefined : Number(length), closes);
    }
    if (!this.#events.onHead(status, fields)) this.#isStopped = true;
  }

  #frame(status: number, isChunked: boolean, length: number | undefined, closes: boolean): void {
    const isBodiless = status === 204 || status === 304;
    const declaresBody = isChunked || (length !== undefined && length > 0);
    this.mayKeep = !closes;
    if (this.#isToHead || isBodiless) {
      this.#state = 'complete';
      // Whoever declares a body where none may be perhaps sends it.
      if (declaresBody) this.mayKeep = false;
    } else if (isChunked) {
      this.#beginChunk();
    } else if (length !== undefined) {
      this.#left = length;
      this.#state = length === 0 ? 'complete' : 'length';
    } else {
      this.mayKeep = false;
      this.#state = 'until-close';
    }
  }

  #readKeepAlive(value: string): void {
    // An instance says the same every time.
    if (value !== this.#hint) {
      const seconds = KEEP_ALIVE_SECONDS.exec(value)?.[1];
      this.#hint = value;
      this.#hintMs = seconds === undefined ? undefined : Number(seconds) * 1_000;
    }
    this.keepAliveMs = this.#hintMs;
  }

  #data(bytes: Buffer, from: number): number {
    const to = Math.min(bytes.length, from + this.#left);
    this.#left -= to - from;
    if (!this.#events.onBody(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))) this.#isStopped = true;
    return to;
  }

  #beginChunk(): void {
    this.#left = 0;
    this.#digits = 0;
    this.#state = 'size';
  }

  #size(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      const digit = hexDigit(byte);
      if (digit < 0) {
        demand(this.#digits > 0, 'a chunk has no size');
        demand(byte === CR || byte === SEMICOLON, 'a chunk’s size is malformed');
        this.#state = byte === CR ? 'size-end' : 'extension';
        return at + 1;
      }
      this.#left = this.#left * 16 + digit;
      this.#digits++;
      demand(this.#digits <= SIZE_DIGITS_MAX && this.#left <= Number.MAX_SAFE_INTEGER, 'a chunk’s size is too large');
    }
    return bytes.length;
  }

  /** Says nothing to us. */
  #extension(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === CR) {
        this.#state = 'size-end';
        return at + 1;
      }
      demand((byte >= SPACE && byte !== DELETE) || byte === TAB, 'a chunk’s extension is malformed');
      demand(++this.#extensionBytes <= LIMITS.responseChunkExtensionBytesMax, 'its chunks have too long extensions');
    }
    return bytes.length;
  }
}

/** `text`: a section whose lines are well-formed, with the empty line at its end. */
function fieldsOf(text: string, from: number): string[] {
  const fields: string[] = [];
  const end = text.length - 2;
  for (let at = from; at < end;) {
    const colon = text.indexOf(':', at);
    const lineEnd = text.indexOf('\r', colon);
    let start = colon + 1;
    let stop = lineEnd;
    while (start < stop && isBlank(text.charCodeAt(start))) start++;
    while (stop > start && isBlank(text.charCodeAt(stop - 1))) stop--;
    fields.push(text.slice(at, colon), text.slice(start, stop));
    at = lineEnd + 2;
  }
  return fields;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** -1 for what is none. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function saysClose(connection: string): boolean {
  if (connection === 'keep-alive') return false;
  return connection.split(',').some((option) => option.trim().toLowerCase() === 'close');
}

function refuseLong(bytes: number): void {
  demand(bytes <= LIMITS.responseHeaderBytesMax, 'its headers are too large');
}

function demand(isTrue: boolean, reason: string): asserts isTrue {
  if (!isTrue) throw new PlatformError('ROUTE_BAD_RESPONSE', reason);
}
