// Answers over HTTP/1, in the form that the request had: a message or an error in protobuf, in JSON, or a line of text.
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { type PlatformError } from '../../../../sdk/contract/errors.ts';
import { type Timers } from '../../../../sdk/support/clock.ts';
import { lingerOnClose } from '../../../../sdk/support/lingering-close.ts';
import { statusBytes, statusOf, type V1Status } from './status.ts';

export type MessageForm = 'protobuf' | 'json';

/** Clients compare it as a whole, so it goes without a charset. */
const PROTOBUF = 'application/x-protobuf';
const JSON_TEXT = 'application/json; charset=utf-8';

export class HttpReply {
  /** Undefined: of a content type that is not served. */
  readonly form: MessageForm | undefined;
  readonly response: ServerResponse;
  readonly #request: IncomingMessage;
  readonly #timers: Timers;
  /** The connection closes after it. */
  isLast = false;

  constructor(request: IncomingMessage, response: ServerResponse, timers: Timers) {
    this.form = formOf(request.headers['content-type']);
    this.response = response;
    this.#request = request;
    this.#timers = timers;
  }

  text(status: number, text: string): void {
    this.#send(status, 'text/plain; charset=utf-8', Buffer.from(text));
  }

  message(bytes: Buffer): void {
    this.#send(200, this.form === 'protobuf' ? PROTOBUF : JSON_TEXT, bytes);
  }

  refuse(error: PlatformError): void {
    const status = statusOf(error);
    if (this.form === 'protobuf') this.#send(status.httpStatus, PROTOBUF, statusBytes(status));
    else this.#send(status.httpStatus, JSON_TEXT, errorJson(status));
  }

  #send(status: number, contentType: string, body: Buffer): void {
    const { response } = this;
    if (response.headersSent || response.destroyed) return;
    // What is left of the request would otherwise be read to its end, however long.
    if (!this.#request.complete) this.isLast = true;
    if (this.isLast) {
      response.setHeader('connection', 'close');
      lingerOnClose(this.#request.socket, this.#timers);
    }
    response.writeHead(status, { 'content-type': contentType, 'content-length': body.length });
    response.end(body);
  }
}

/** For connections that Node's server no longer answers on. */
export function refusalBytes(error: PlatformError): Buffer {
  const status = statusOf(error);
  const body = errorJson(status);
  const head = [
    `HTTP/1.1 ${status.httpStatus} ${STATUS_CODES[status.httpStatus] ?? 'Unknown'}`,
    `content-type: ${JSON_TEXT}`,
    `content-length: ${body.length}`,
    'connection: close',
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}

function errorJson({ httpStatus, name, message }: V1Status): Buffer {
  return Buffer.from(JSON.stringify({ error: { code: httpStatus, message, status: name } }));
}

/** Without a type it is JSON, as curl's `--json ''` and an empty body have it. */
function formOf(contentType: string | undefined): MessageForm | undefined {
  const [type = ''] = (contentType ?? 'application/json').split(';');
  const known = type.trim().toLowerCase();
  if (known === PROTOBUF) return 'protobuf';
  return known === 'application/json' ? 'json' : undefined;
}
