// An answer as bytes, for connections that Node's server no longer answers on: after a parser error or an upgrade.
import { STATUS_CODES } from 'node:http';
import { type ErrorCode, type ErrorDetails } from '../sdk/contract/errors.ts';
import { errorAnswer } from './error-page.ts';

/** `headers`: names and values in turn. The connection closes after it. */
export function rawAnswer(status: number, headers: readonly string[], body: Buffer = Buffer.alloc(0)): Buffer {
  const head = rawHead(status, [...headers, 'Connection', 'close']);
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

/** Status line and headers with the empty line after them. */
export function rawHead(status: number, headers: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
  for (let index = 0; index + 1 < headers.length; index += 2) head += `${headers[index] ?? ''}: ${headers[index + 1] ?? ''}\r\n`;
  return `${head}\r\n`;
}

export function rawError(code: ErrorCode, requestId: string, accept: string | undefined, details: ErrorDetails = {}): Buffer {
  const { status, headers, body } = errorAnswer(code, requestId, accept, details);
  return rawAnswer(status, headers, body);
}
