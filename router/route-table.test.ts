import { describe, expect, it } from 'vitest';
import { type DispatchRule } from '../sdk/contract/dispatch-rule.ts';
import { type HandlerSpec, type RouteTableSpec, type ServiceRoutes, type VersionRoutes } from './ports.ts';
import { RouteTable, type RouteClient } from './route-table.ts';

const client: RouteClient = { address: '192.0.2.1', cookie: undefined, isSecure: undefined, fraction: () => 0.3 };
const version = (name: string, overrides: Partial<VersionRoutes> = {}): VersionRoutes => ({
  version: name,
  deploymentId: `d-${name}`,
  handlers: [],
  files: {},
  ...overrides,
});
const service = (name: string, versions: readonly VersionRoutes[], split: Record<string, number>): ServiceRoutes => ({
  service: name,
  split,
  shardBy: 'cookie',
  versions,
});
const table = (...services: ServiceRoutes[]): RouteTable =>
  new RouteTable({ revision: 1, apps: [{ appId: 'shop', services }] }, 'example.com');

const spec: RouteTableSpec = {
  revision: 1,
  apps: [
    {
      appId: 'shop',
      services: [
        service('default', [version('v1'), version('v2'), version('api')], { v1: 1 }),
        service('api', [version('v1'), version('v9')], { v9: 1 }),
      ],
    },
    { appId: 'empty', services: [service('default', [version('v1')], {})] },
    { appId: 'none', services: [] },
  ],
};

const where = (host: string): string => {
  const decision = new RouteTable(spec, 'Example.com').resolve(host, '/', client);
  return decision.kind === 'app'
    ? `${decision.route.target.service}/${decision.route.target.version}`
    : decision.kind === 'refused'
      ? decision.code
      : decision.kind;
};

describe('hosts', () => {
  it.each([
    ['shop.example.com', 'default/v1'],
    ['SHOP.Example.COM:8080', 'default/v1'],
    ['shop.example.com.', 'default/v1'],
    ['api-dot-shop.example.com', 'api/v9'],
    ['api.shop.example.com', 'api/v9'],
    ['v2-dot-shop.example.com', 'default/v2'],
    ['v1-dot-api-dot-shop.example.com', 'api/v1'],
    ['v1.api.shop.example.com', 'api/v1'],
    ['unknown-dot-shop.example.com', 'default/v1'],
    ['v7-dot-api-dot-shop.example.com', 'default/v1'],
    ['v1-dot-unknown-dot-shop.example.com', 'default/v1'],
    ['v2-dot-latest-dot-shop.example.com', 'default/v2'],
    ['v2-dot-default-dot-shop.example.com', 'default/v2'],
    ['default-dot-shop.example.com', 'default/v1'],
    ['unknown.shop.example.com', 'default/v1'],
    ['i-dot-v1-dot-api-dot-shop.example.com', 'ROUTE_UNKNOWN_HOST'],
    ['other.example.com', 'ROUTE_UNKNOWN_HOST'],
    ['example.com', 'ROUTE_UNKNOWN_HOST'],
    ['shop.example.com.evil.com', 'ROUTE_UNKNOWN_HOST'],
    ['shopexample.com', 'ROUTE_UNKNOWN_HOST'],
    ['-dot-shop.example.com', 'ROUTE_UNKNOWN_HOST'],
    ['..shop.example.com', 'ROUTE_UNKNOWN_HOST'],
    ['shop.example.com@evil.com', 'ROUTE_UNKNOWN_HOST'],
    ['127.0.0.1:8080', 'ROUTE_UNKNOWN_HOST'],
    ['[::1]:8080', 'ROUTE_UNKNOWN_HOST'],
    ['', 'ROUTE_UNKNOWN_HOST'],
    ['empty.example.com', 'ROUTE_NOTHING_SERVING'],
    ['v1-dot-empty.example.com', 'default/v1'],
    ['none.example.com', 'ROUTE_NOTHING_SERVING'],
  ])('%s is %s', (host, expected) => expect(where(host)).toBe(expected));

  it('names the default service’s host with the port that the client used', () => {
    const decision = new RouteTable(spec, 'example.com').resolve('api-dot-shop.example.com:8080', '/', client);
    expect(decision.kind === 'app' && decision.route.defaultHostname).toBe('shop.example.com:8080');
  });

  it('gives the same decision object for the same host', () => {
    const routes = new RouteTable(spec, 'example.com');
    expect(routes.resolve('shop.example.com', '/a', client)).toBe(routes.resolve('shop.example.com', '/b', client));
  });

  it('splits traffic and hands out the bucket', () => {
    const routes = table(service('default', [version('a'), version('b')], { a: 0.5, b: 0.5, gone: 5 }));
    expect(routes.resolve('shop.example.com', '/', client)).toMatchObject({
      kind: 'app',
      newBucket: 300,
      route: { target: { version: 'a' } },
    });
    expect(routes.resolve('shop.example.com', '/', { ...client, cookie: 'GOOGAPPUID=900' })).toMatchObject({
      route: { target: { version: 'b' } },
    });
  });
});

describe('dispatch rules', () => {
  const rule = (url: string, to: string): DispatchRule => {
    const slash = url.indexOf('/');
    return { url, host: url.slice(0, slash), path: url.slice(slash), service: to };
  };
  const dispatched = (rules: readonly DispatchRule[], url: string): string => {
    const services = [
      service('default', [version('v1'), version('v2')], { v1: 1 }),
      service('api', [version('a1')], { a1: 1 }),
      service('web', [version('w1')], { w1: 1 }),
      service('idle', [version('i1')], {}),
    ];
    const routes = new RouteTable({ revision: 1, apps: [{ appId: 'shop', services, dispatch: rules }] }, 'example.com');
    const slash = url.indexOf('/');
    const decision = routes.resolve(url.slice(0, slash), url.slice(slash), client);
    if (decision.kind === 'app') return `${decision.route.target.service}/${decision.route.target.version}`;
    return decision.kind === 'refused' ? decision.code : decision.kind;
  };

  it.each([
    ['the first that fits wins', [rule('*/a/*', 'api'), rule('*/a/b', 'web')], 'shop.example.com/a/b', 'api/a1'],
    ['a path without * is whole', [rule('*/a', 'api')], 'shop.example.com/a/b', 'default/v1'],
    ['a path without * fits', [rule('*/favicon.ico', 'web')], 'shop.example.com/favicon.ico', 'web/w1'],
    ['/a/* leaves /a alone', [rule('*/a/*', 'api')], 'shop.example.com/a', 'default/v1'],
    ['/a* takes what begins so', [rule('*/a*', 'api')], 'shop.example.com/abc', 'api/a1'],
    ['*/* takes everything', [rule('*/*', 'api')], 'shop.example.com/', 'api/a1'],
    ['a host without * is whole', [rule('shop.example.com/*', 'api')], 'web-dot-shop.example.com/', 'web/w1'],
    ['a host fits in any case, with a port', [rule('shop.example.com/*', 'api')], 'SHOP.Example.com:8080/', 'api/a1'],
    ['a host by its end', [rule('*-shop.example.com/*', 'api')], 'web-dot-shop.example.com/', 'api/a1'],
    ['SERVICE-dot-ID may be overruled', [rule('*/*', 'api')], 'web-dot-shop.example.com/', 'api/a1'],
    ['VERSION-dot-ID may be overruled', [rule('*/*', 'api')], 'v2-dot-shop.example.com/', 'api/a1'],
    ['an unknown name may be overruled', [rule('*/*', 'api')], 'x-dot-y-dot-shop.example.com/', 'api/a1'],
    ['VERSION-dot-SERVICE-dot-ID may not', [rule('*/*', 'api')], 'w1-dot-web-dot-shop.example.com/', 'web/w1'],
    ['VERSION-dot-latest-dot-ID may not', [rule('*/*', 'api')], 'v2-dot-latest-dot-shop.example.com/', 'default/v2'],
    ['what no rule fits goes by its host', [rule('*/a/*', 'api')], 'v2-dot-shop.example.com/', 'default/v2'],
    ['reserved paths are not dispatched', [rule('*/*', 'api')], 'shop.example.com/_ah/start', 'ROUTE_PATH_RESERVED'],
    ['nor is the log-in page', [rule('*/*', 'idle')], 'shop.example.com/_ah/login', 'sign-in'],
    ['a service without traffic answers nothing', [rule('*/a', 'idle')], 'shop.example.com/a', 'ROUTE_NOTHING_SERVING'],
    ['a service that is gone is not replaced by another', [rule('*/a', 'gone')], 'shop.example.com/a', 'ROUTE_NOTHING_SERVING'],
  ])('%s', (_, rules, url, expected) => expect(dispatched(rules, url)).toBe(expected));

  it('split the traffic of the service that they lead to', () => {
    const services = [service('default', [version('v1')], { v1: 1 }), service('api', [version('a'), version('b')], { a: 0.5, b: 0.5 })];
    const routes = new RouteTable({ revision: 1, apps: [{ appId: 'shop', services, dispatch: [rule('*/a', 'api')] }] }, 'example.com');
    const decision = routes.resolve('shop.example.com', '/a', { ...client, cookie: 'GOOGAPPUID=900' });
    expect(decision).toMatchObject({ route: { target: { service: 'api', version: 'b' }, defaultHostname: 'shop.example.com' } });
    expect(routes.resolve('shop.example.com', '/a', client)).toMatchObject({ newBucket: 300 });
  });
});

describe('handlers', () => {
  const file = (digit: string): { sha256: string; bytes: number } => ({ sha256: digit.repeat(64), bytes: 1 });
  const decide = (handlers: readonly HandlerSpec[], path: string, isSecure?: boolean): object => {
    const files = { 'public/x.css': file('1'), 'img/a.png': file('2'), 'favicon.ico': file('3') };
    const routes = table(service('default', [version('v1', { handlers, files })], { v1: 1 }));
    return routes.resolve('shop.example.com', path, { ...client, isSecure });
  };
  const dir = { kind: 'static-dir', url: '/static', directory: 'public', expirationSeconds: 60 } as const;
  const images = { kind: 'static-files', url: '/(.*)\\.(png|gif)', path: 'img/\\1.\\2', expirationSeconds: 60 } as const;

  it('serve files of a directory, and 404 for those that are not there', () => {
    expect(decide([dir], '/static/x.css')).toMatchObject({ kind: 'static', path: 'public/x.css', file: file('1') });
    expect(decide([dir], '/static/y.css')).toMatchObject({ kind: 'refused', code: 'ROUTE_STATIC_NOT_FOUND' });
    expect(decide([dir], '/staticx')).toMatchObject({ kind: 'app' });
    expect(decide([dir], '/static')).toMatchObject({ kind: 'app' });
    expect(decide([dir], '/static/__proto__')).toMatchObject({ kind: 'refused' });
  });

  it('put groups into the path of a file', () => {
    expect(decide([images], '/a.png')).toMatchObject({ kind: 'static', path: 'img/a.png', file: file('2') });
  });

  it('try the next handler when a matching file is required', () => {
    expect(decide([{ ...images, requireMatchingFile: true }], '/none.png')).toMatchObject({ kind: 'app' });
    expect(decide([images], '/none.png')).toMatchObject({ kind: 'refused', code: 'ROUTE_STATIC_NOT_FOUND' });
  });

  it('win in order, and give what none matches to the app', () => {
    expect(decide([{ kind: 'script', url: '/static/.*' }, dir], '/static/x.css')).toMatchObject({ kind: 'app' });
    expect(decide([dir, images], '/else')).toMatchObject({ kind: 'app' });
  });

  it('redirect between http and https only where the router can tell them apart', () => {
    const always = { kind: 'script', url: '/.*', secure: 'always', redirectStatus: 301 } as const;
    const never = { kind: 'script', url: '/.*', secure: 'never' } as const;
    expect(decide([always], '/', false)).toMatchObject({ kind: 'redirect', status: 301, scheme: 'https' });
    expect(decide([always], '/', true)).toMatchObject({ kind: 'app' });
    expect(decide([always], '/')).toMatchObject({ kind: 'app' });
    expect(decide([never], '/', true)).toMatchObject({ kind: 'redirect', status: 302, scheme: 'http' });
  });

  it('that cannot be read make their version unavailable, not open', () => {
    const routes = table(service('default', [version('v1', { handlers: [{ kind: 'script', url: '(' }] })], { v1: 1 }));
    expect(routes.problems).toHaveLength(1);
    expect(() => routes.resolve('shop.example.com', '/', client)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  it('never see the paths that are the platform’s own', () => {
    for (const path of ['/_ah/start', '/_ah/stop', '/_ah/warmup', '/_ah/background', '/_AH/Stop', '//_ah/start/x']) {
      expect(decide([], path)).toMatchObject({ kind: 'refused', code: 'ROUTE_PATH_RESERVED' });
    }
    for (const path of ['/_ah/queue/deferred', '/_ah/startx', '/x/_ah/start']) expect(decide([], path)).toMatchObject({ kind: 'app' });
  });
});
