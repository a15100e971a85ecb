import { expect, it } from 'vitest';
import { requestText } from './request-text.ts';

const text = (headers: readonly string[], hasBody = false, keeps = true): ReturnType<typeof requestText> =>
  requestText({ method: 'POST', target: '/a?b', headers }, hasBody, keeps);

it('is the request line and every header, as they were given', () => {
  const headers = ['host', 'h', 'X-A', 'caf\xe9', 'x-b', ''];
  const lines = 'host: h\r\nX-A: caf\xe9\r\nx-b: \r\n';
  expect(text(headers)).toEqual({ lines: `POST /a?b HTTP/1.1\r\nconnection: keep-alive\r\n${lines}`, bodyBytes: undefined });
  expect(text(headers, false, false).lines).toBe(`POST /a?b HTTP/1.1\r\nconnection: close\r\n${lines}`);
});

it('takes the length of the body from its header, and none from anywhere else', () => {
  expect(text(['Content-Length', '12'], true)).toMatchObject({
    lines: expect.stringContaining('\r\nContent-Length: 12\r\n'),
    bodyBytes: 12,
  });
  expect(text(['content-length', '0']).bodyBytes).toBe(0);
  expect(text(['X-A', '12'], true).bodyBytes).toBeUndefined();
});

it.each([
  ['two lengths', ['Content-Length', '1', 'content-length', '1'], true],
  ['a signed length', ['Content-Length', '+1'], true],
  ['no number', ['Content-Length', ''], true],
  ['a length without a body', ['Content-Length', '1'], false],
  ['an encoding', ['Transfer-Encoding', 'chunked'], true],
  ['Connection', ['Connection', 'close'], false],
  ['Keep-Alive', ['keep-alive', 'timeout=1'], false],
  ['Upgrade', ['UPGRADE', 'h2c'], false],
  ['Expect', ['Expect', '100-continue'], true],
])('is refused when the headers frame it otherwise: %s', (_name, headers, hasBody) => {
  expect(() => text(headers, hasBody)).toThrow(expect.objectContaining({ code: 'ROUTE_BAD_REQUEST' }));
});
