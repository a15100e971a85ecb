import { describe, expect, it } from 'vitest';
import { type RequestHead } from './request-guard.ts';
import { redirectHeaders } from './secure-redirect.ts';

const head = (host: string, target: string): RequestHead => ({ method: 'GET', host, target, path: '/', hasBody: false, contentLength: 0 });

describe('redirectHeaders', () => {
  it.each([
    ['shop.localhost', '/a?b=c', 'https', {}, 'https://shop.localhost/a?b=c'],
    ['shop.localhost:8080', '/a?b=c', 'https', {}, 'https://shop.localhost/a?b=c'],
    ['shop.localhost:8080', '/a', 'https', { http: 8080, https: 8443 }, 'https://shop.localhost:8443/a'],
    ['shop.localhost:8443', '/a?b=c', 'http', { http: 8080, https: 8443 }, 'http://shop.localhost:8080/a'],
    ['shop.localhost', '/?x', 'http', {}, 'http://shop.localhost/'],
  ] as const)('from %s%s to %s is %j: %s', (host, target, scheme, ports, location) => {
    expect(redirectHeaders(head(host, target), scheme, ports).slice(0, 2)).toEqual(['Location', location]);
  });
});
