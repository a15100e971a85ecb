import { describe, expect, it } from 'vitest';
import { routeOf } from './http-route.ts';

const call = (method: string, projectId = 'shop', enumAsInteger = false) => ({ kind: 'call', method, projectId, enumAsInteger });

describe('what a request over HTTP/1 asks for', () => {
  it.each([
    ['/v1/projects/shop:lookup', call('Lookup')],
    ['/v1/projects/shop:runQuery', call('RunQuery')],
    ['/v1/projects/shop:runAggregationQuery', call('RunAggregationQuery')],
    ['/v1/projects/shop:beginTransaction', call('BeginTransaction')],
    ['/v1/projects/shop:commit', call('Commit')],
    ['/v1/projects/shop:rollback', call('Rollback')],
    ['/v1/projects/shop:allocateIds', call('AllocateIds')],
    ['/v1/projects/shop:reserveIds', call('ReserveIds')],
    ['/v1/projects/example.com:shop:lookup', call('Lookup', 'example.com:shop')],
    ['/v1/projects/example.com%3Ashop:lookup', call('Lookup', 'example.com:shop')],
    ['/v1/projects/shop:lookup?$alt=json;enum-encoding=int', call('Lookup', 'shop', true)],
    ['/v1/projects/shop:lookup?a=1&%24alt=json%3Benum-encoding%3Dint&$prettyPrint=0', call('Lookup', 'shop', true)],
    ['/v1/projects/shop:lookup?alt=json%3Benum-encoding=int', call('Lookup', 'shop', true)],
    ['/v1/projects/shop:lookup?$alt=json&key=enum-encoding=int', call('Lookup')],
    ['/reset', { kind: 'reset' }],
    ['/shutdown?now', { kind: 'shutdown' }],
    ['/', { kind: 'not-allowed', allow: 'GET, HEAD' }],
    ['/v1/projects/shop:nothing', { kind: 'not-found' }],
    ['/v1/projects/shop:Lookup', { kind: 'not-found' }],
    ['/v1/projects/shop:lookup/', { kind: 'not-found' }],
    ['/v1/projects/a/b:lookup', { kind: 'not-found' }],
    ['/v1/projects/:lookup', { kind: 'not-found' }],
    ['/v1/projects/%:lookup', { kind: 'not-found' }],
    ['/v1beta3/projects/shop:lookup', { kind: 'not-found' }],
    ['http://elsewhere/v1/projects/shop:lookup', { kind: 'not-found' }],
    ['*', { kind: 'not-found' }],
    ['', { kind: 'not-found' }],
  ])('POST %s', (url, route) => {
    expect(routeOf('POST', url)).toEqual(route);
  });

  it.each([
    ['GET', '/', { kind: 'health' }],
    ['HEAD', '/?x', { kind: 'health' }],
    ['GET', '/healthz', { kind: 'health' }],
    ['GET', '/readyz', { kind: 'health' }],
    ['GET', '/reset', { kind: 'not-allowed', allow: 'POST' }],
    ['OPTIONS', '/shutdown', { kind: 'not-allowed', allow: 'POST' }],
    ['GET', '/v1/projects/shop:lookup', { kind: 'not-allowed', allow: 'POST' }],
    ['PUT', '/v1/projects/shop:commit', { kind: 'not-allowed', allow: 'POST' }],
    ['GET', '/favicon.ico', { kind: 'not-found' }],
  ])('%s %s', (method, url, route) => {
    expect(routeOf(method, url)).toEqual(route);
  });
});
