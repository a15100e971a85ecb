// What made a head too long: its target or its headers. Node's parser counts both in one, so it is read off the bytes that
// it had when it gave up.
import { type ErrorCode } from '../sdk/contract/errors.ts';

const LINE_END = 0x0a;
const ENDS_REQUEST_LINE = / HTTP\/1\.[01]\r?$/;
const BEGINS_REQUEST_LINE = /^[A-Z-]{1,20} /;

/**
 * `packet`: the newest bytes of the connection, which the parser read until `parsed`. They show the line that was too much
 * or a part of it: its end tells for sure, or its beginning. Of a line that goes on at both sides only a blank tells, which
 * is in no target; without any it is taken for one.
 */
export function overflowCode(packet: Buffer, parsed: number): Extract<ErrorCode, 'ROUTE_URL_TOO_LONG' | 'ROUTE_HEADERS_TOO_LARGE'> {
  const start = parsed > 0 ? packet.lastIndexOf(LINE_END, parsed - 1) + 1 : 0;
  const end = packet.indexOf(LINE_END, parsed);
  const isTarget =
    end < 0
      ? isInTarget(packet.toString('latin1', start, parsed), start > 0)
      : ENDS_REQUEST_LINE.test(packet.toString('latin1', start, end));
  return isTarget ? 'ROUTE_URL_TOO_LONG' : 'ROUTE_HEADERS_TOO_LARGE';
}

function isInTarget(text: string, isWholeLine: boolean): boolean {
  const method = BEGINS_REQUEST_LINE.exec(text)?.[0].length ?? 0;
  return (method > 0 || !isWholeLine) && !/\s/.test(text.slice(method));
}
