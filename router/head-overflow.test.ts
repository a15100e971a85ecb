import { expect, it } from 'vitest';
import { overflowCode } from './head-overflow.ts';

const LONG = 'a'.repeat(2_000);

// | is where the parser gave up.
it.each([
  ['URL', 'a target with its line', `GET /${LONG}| HTTP/1.1\r\nHost: h\r\n\r\n`],
  ['URL', 'the same after a good request', `GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /${LONG}| HTTP/1.1\r\n`],
  ['URL', 'the end of a target', `${LONG}| HTTP/1.1\r\nHost: h\r\n`],
  ['URL', 'the end of a target, the version in the next packet', `${LONG}| HTT`],
  ['URL', 'the beginning of a target', `GET /${LONG}|`],
  ['URL', 'the same after a good request', `GET / HTTP/1.1\r\nHost: h\r\n\r\nM-SEARCH /${LONG}|`],
  ['URL', 'the middle of a target', `${LONG}%20${LONG}|`],
  ['HEADERS', 'a header with its line', `GET / HTTP/1.1\r\nHost: h\r\nX-A: ${LONG}|\r\n\r\n`],
  ['HEADERS', 'the end of a header', `${LONG}|\r\n\r\n`],
  ['HEADERS', 'the beginning of a header', `GET / HTTP/1.1\r\nX-A: ${LONG}|`],
  ['HEADERS', 'the beginning of a header without a blank', `GET / HTTP/1.1\r\nX-A:${LONG}|`],
  ['HEADERS', 'the middle of a header', `${LONG}; b=${LONG}|`],
  ['HEADERS', 'a name', `GET / HTTP/1.1\r\n${LONG}|: a\r\n`],
  ['HEADERS', 'nothing but the end of a line', `|\r\nX-A: b\r\n`],
])('%s: %s', (what, _, packet) => {
  const code = what === 'URL' ? 'ROUTE_URL_TOO_LONG' : 'ROUTE_HEADERS_TOO_LARGE';
  expect(overflowCode(Buffer.from(packet.replace('|', '')), packet.indexOf('|'))).toBe(code);
});
