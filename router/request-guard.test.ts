import { describe, expect, it } from 'vitest';
import { guardRequest, type ParserError, parserErrorCode } from './request-guard.ts';

describe('guardRequest', () => {
  const request = (rawHeaders: readonly string[], method = 'POST'): ReturnType<typeof guardRequest> =>
    guardRequest({ method, url: '/', httpVersion: '1.1', rawHeaders: ['Host', 'h', ...rawHeaders] });

  it('knows whether there is a body, and how long it is', () => {
    expect(request([])).toMatchObject({ hasBody: false, contentLength: 0 });
    expect(request(['content-LENGTH', '0'])).toMatchObject({ hasBody: false, contentLength: 0 });
    expect(request(['Content-Length', '5'])).toMatchObject({ hasBody: true, contentLength: 5 });
    expect(request(['Transfer-Encoding', 'Chunked'])).toMatchObject({ hasBody: true, contentLength: undefined });
  });

  it('lets HTTP/1.0 clients name no host only with an absolute target', () => {
    const head = { method: 'GET', httpVersion: '1.0', rawHeaders: [] };
    expect(guardRequest({ ...head, url: 'http://h/' }).host).toBe('h');
    expect(() => guardRequest({ ...head, url: '/' })).toThrow(expect.objectContaining({ code: 'ROUTE_BAD_REQUEST' }));
  });

  // Node's parser refuses most of these too, so the hostile tests would not miss one of them here.
  it.each<[string, readonly string[]]>([
    ['both a length and an encoding', ['Content-Length', '5', 'Transfer-Encoding', 'chunked']],
    ['two encodings', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
    ...['', 'identity', 'chunked, chunked', 'chunked, gzip', 'gzip, chunked', 'xchunked', '"chunked"', 'chunked;a=b'].map(
      (encoding): [string, string[]] => [`the encoding ${encoding}`, ['transfer-encoding', encoding]],
    ),
    ['two lengths', ['Content-Length', '5', 'content-length', '5']],
    ...['', ' ', '+5', '-5', '0x5', '5,5', '5 5', '5.0', '1e1', '٥', '1'.repeat(16)].map((length): [string, string[]] => [
      `the length ${length}`,
      ['Content-Length', length],
    ]),
    ['two hosts', ['host', 'h']],
  ])('refuses %s', (_name, rawHeaders) => {
    expect(() => request(rawHeaders)).toThrow(expect.objectContaining({ code: 'ROUTE_BAD_REQUEST' }));
  });

  it.each<[string, Partial<Parameters<typeof guardRequest>[0]>]>([
    ['no host', { rawHeaders: [] }],
    ['no host beside an absolute target', { rawHeaders: [], url: 'http://h/' }],
    ['an empty host', { rawHeaders: ['Host', ''] }],
    ['an empty host in the target', { url: 'http:///' }],
    ['an encoding in HTTP/1.0', { httpVersion: '1.0', rawHeaders: ['Host', 'h', 'Transfer-Encoding', 'chunked'] }],
  ])('refuses %s', (_name, change) => {
    const head = { method: 'GET', url: '/', httpVersion: '1.1', rawHeaders: ['Host', 'h'] };
    expect(() => guardRequest({ ...head, ...change })).toThrow(expect.objectContaining({ code: 'ROUTE_BAD_REQUEST' }));
  });

  it.each(['TRACE', 'CONNECT'])('refuses %s', (method) => {
    expect(() => request([], method)).toThrow(expect.objectContaining({ code: 'ROUTE_METHOD_NOT_ALLOWED' }));
  });

  it('takes the target’s host before the header’s', () => {
    const head = { method: 'GET', url: 'http://target/', httpVersion: '1.1', rawHeaders: ['Host', 'header'] };
    expect(guardRequest(head).host).toBe('target');
  });

  it('maps the parser’s errors', () => {
    const error = (code: string, rawPacket?: Buffer): ParserError =>
      Object.assign(new Error(code), { code, ...(rawPacket ? { rawPacket, bytesParsed: rawPacket.length } : {}) });
    expect(parserErrorCode(error('HPE_HEADER_OVERFLOW'))).toBe('ROUTE_HEADERS_TOO_LARGE');
    expect(parserErrorCode(error('HPE_HEADER_OVERFLOW', Buffer.from('GET /aaaa')))).toBe('ROUTE_URL_TOO_LONG');
    expect(parserErrorCode(error('ERR_HTTP_REQUEST_TIMEOUT'))).toBe('ROUTE_REQUEST_TIMEOUT');
    expect(parserErrorCode(new Error('x'))).toBe('ROUTE_BAD_REQUEST');
  });
});
