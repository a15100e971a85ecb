// The head of a request as an instance gets it, and how its body is framed. Pure.
import { PlatformError } from '../sdk/contract/errors.ts';

export interface RequestLines {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Names and values in turn, as header-policy.ts makes them. */
  readonly headers: readonly string[];
}

export interface RequestText {
  /** The head without the empty line at its end, and without Transfer-Encoding. */
  readonly lines: string;
  /** Undefined: the body has none, and is chunked. */
  readonly bodyBytes: number | undefined;
}

const LENGTH = /^\d{1,15}$/;
const CONNECTION = new Set(['connection', 'keep-alive', 'upgrade', 'expect']);

/**
 * Throws ROUTE_BAD_REQUEST when the headers frame the body in another way than the one that goes out: whatever a client
 * had removed on the way (Connection: Content-Length), one reading of the request is left.
 */
export function requestText({ method, target, headers }: RequestLines, hasBody: boolean, keeps: boolean): RequestText {
  let lines = `${method} ${target} HTTP/1.1\r\nconnection: ${keeps ? 'keep-alive' : 'close'}\r\n`;
  let length: string | undefined;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? '';
    const value = headers[index + 1] ?? '';
    switch (name.length) {
      case 6:
      case 7:
      case 10:
        if (CONNECTION.has(name.toLowerCase())) refuse(name);
        break;
      case 14:
        if (name.toLowerCase() !== 'content-length') break;
        if (length !== undefined || !LENGTH.test(value)) refuse(name);
        length = value;
        break;
      case 17:
        if (name.toLowerCase() === 'transfer-encoding') refuse(name);
        break;
    }
    lines += `${name}: ${value}\r\n`;
  }
  const bodyBytes = length === undefined ? undefined : Number(length);
  if (!hasBody && bodyBytes !== undefined && bodyBytes > 0) refuse('content-length');
  return { lines, bodyBytes };
}

function refuse(name: string): never {
  throw new PlatformError('ROUTE_BAD_REQUEST', `${name} is not for the instance to see`);
}
