import { describe, expect, it } from 'vitest';
import { guardRequest, parserErrorCode } from './request-guard.ts';

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

  it('maps the parser’s errors', () => {
    expect(parserErrorCode({ code: 'HPE_HEADER_OVERFLOW' })).toBe('ROUTE_HEADERS_TOO_LARGE');
    expect(parserErrorCode({ code: 'ERR_HTTP_REQUEST_TIMEOUT' })).toBe('ROUTE_REQUEST_TIMEOUT');
    expect(parserErrorCode(new Error('x'))).toBe('ROUTE_BAD_REQUEST');
  });
});
