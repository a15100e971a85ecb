// nghttp2 refuses most of what is refused here, so the hostile tests, which go through it, would not miss it.
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../sdk/contract/limits.ts';
import { http1Head } from './http2-head.ts';

type Fields = readonly (readonly [name: string, value: string])[];

const GET: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'h'],
  [':path', '/p?q'],
];
const without = (name: string): Fields => GET.filter(([each]) => each !== name);
const read = (fields: Fields, hasBody = false): ReturnType<typeof http1Head> => http1Head(fields.flat(), hasBody);

describe('http1Head', () => {
  it('gives the head that HTTP/1.1 would have sent', () => {
    expect(read([...GET, ['x-a', 'b'], ['te', 'trailers']])).toEqual({
      method: 'GET',
      url: '/p?q',
      rawHeaders: ['host', 'h', 'x-a', 'b', 'te', 'trailers'],
    });
    expect(read([...without(':authority'), ['host', 'h']])).toMatchObject({ rawHeaders: ['host', 'h'] });
    expect(read([...GET, ['host', 'h']])).toMatchObject({ rawHeaders: ['host', 'h'] });
    expect(read(without(':authority'))).toMatchObject({ rawHeaders: [] });
  });

  it('joins the crumbs of a cookie', () => {
    expect(read([...GET, ['cookie', 'a=1'], ['x-a', 'b'], ['cookie', 'c=2']])).toMatchObject({
      rawHeaders: ['host', 'h', 'x-a', 'b', 'cookie', 'a=1; c=2'],
    });
  });

  it('says of a body whether it has a length', () => {
    expect(read(GET, true)).toMatchObject({ rawHeaders: ['host', 'h', 'transfer-encoding', 'chunked'] });
    expect(read([...GET, ['content-length', '5']], true)).toMatchObject({ rawHeaders: ['host', 'h', 'content-length', '5'] });
  });

  it.each<[string, Fields]>([
    ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings'].map((name): [string, Fields] => [
      `${name}, which belongs to a connection`,
      [...GET, [name, 'x']],
    ]),
    ...['', 'X-A', 'x a', 'x:a', 'x\r\na', 'x\0', 'ü'].map((name): [string, Fields] => [
      `the name ${JSON.stringify(name)}`,
      [...GET, [name, 'b']],
    ]),
    ...['b\r\nx-c: d', 'b\nc', 'b\0', ' b', 'b ', '\tb'].map((value): [string, Fields] => [
      `the value ${JSON.stringify(value)}`,
      [...GET, ['x-a', value]],
    ]),
    ...GET.map(([name, value]): [string, Fields] => [`a line end in ${name}`, [...without(name), [name, `${value}\r\nx-c: d`]]]),
    ['a TE that asks for more', [...GET, ['te', 'trailers, gzip']]],
    ['two hosts', [...without(':authority'), ['host', 'h'], ['host', 'h']]],
    ['a host that is not the authority', [...GET, ['host', 'other']]],
    ['an unknown pseudo-header', [...GET, [':evil', 'x']]],
    ['a pseudo-header of answers', [...GET, [':status', '200']]],
    ['a tunnel (RFC 8441)', [...GET, [':protocol', 'websocket']]],
    ...GET.map(([name, value]): [string, Fields] => [`${name} twice`, [...GET, [name, value]]]),
    ...(['x-a', 'host', 'cookie'] as const).map((name): [string, Fields] => [`pseudo-headers after ${name}`, [[name, 'h'], ...GET]]),
    ['no method', without(':method')],
    ['an empty method', [[':method', ''], ...without(':method')]],
    ['no path', without(':path')],
    ...['', 'p', 'http://other/', '*p'].map((path): [string, Fields] => [`the path ${path}`, [...without(':path'), [':path', path]]]),
  ])('refuses %s', (_name, fields) => {
    expect(read(fields)).toBe('malformed');
  });

  it('says what is too large, names, values and four bytes for each line together', () => {
    const padded = (bytes: number): Fields => [...GET, ['x-pad', 'a'.repeat(bytes)]];
    const others = [...GET, ['x-pad', '']].flat().join('').length + 4 * (GET.length + 1);
    expect(read(padded(LIMITS.requestHeaderBytesMax - others))).toMatchObject({ method: 'GET' });
    expect(read(padded(LIMITS.requestHeaderBytesMax - others + 1))).toBe('too-large');
  });
});
