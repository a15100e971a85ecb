import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientTrace } from './trace-context.ts';
import { HeaderPolicy, withoutSharedDomain, type RequestFacts } from './header-policy.ts';

const policy = new HeaderPolicy('localhost');
const facts: RequestFacts = {
  requestId: '0123456789abcdef0123456789abcdef',
  host: 'hello.localhost:8080',
  clientAddress: '192.0.2.1',
  peerAddress: '192.0.2.1',
  isHttps: false,
  defaultHostname: 'hello.localhost:8080',
  deadlineMs: 600_000,
  isPlatformCall: false,
};
const ours = policy.forInstance([], facts).filter((_, index) => index % 2 === 0);

const pairs = (flat: readonly string[]): [string, string][] =>
  Array.from({ length: flat.length / 2 }, (_, index) => [(flat[2 * index] ?? '').toLowerCase(), flat[2 * index + 1] ?? '']);

describe('forInstance', () => {
  it('keeps what belongs to the app, byte for byte and in order', () => {
    const raw = ['Accept', 'a', 'COOKIE', 'x=\xe4', 'Accept', 'b', 'X-Custom_Name', 'c', 'Content-Length', '3', 'Accept-Encoding', 'gzip'];
    expect(policy.forInstance(raw, facts).slice(2, 2 + raw.length)).toEqual(raw);
  });

  it('tells the trace in both forms, the client’s where there is one', () => {
    const said = ['X-Cloud-Trace-Context', 'evil', 'Traceparent', 'evil', 'TraceState', 'a=b'];
    const own = pairs(policy.forInstance(said, facts));
    expect(own).toContainEqual(['x-cloud-trace-context', `${facts.requestId}/1;o=1`]);
    expect(own).toContainEqual(['traceparent', `00-${facts.requestId}-0000000000000001-01`]);
    expect(own.join()).not.toMatch(/evil|tracestate/);
    const trace = clientTrace(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`, undefined);
    const continued = pairs(policy.forInstance(said, { ...facts, trace }));
    expect(continued).toContainEqual(['traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`]);
    expect(continued).toContainEqual(['x-cloud-trace-context', `${'a'.repeat(32)}/${BigInt(`0x${'b'.repeat(16)}`)};o=0`]);
    expect(continued).toContainEqual(['tracestate', 'a=b']);
  });

  it('says TE and Trailer itself, and only when they are true', () => {
    const raw = ['TE', 'trailers, deflate', 'Trailer', 'Host'];
    expect(pairs(policy.forInstance(raw, facts)).map(([name]) => name)).not.toContain('te');
    const headers = pairs(policy.forInstance(raw, { ...facts, readsTrailers: true, trailers: 'x-sum' }));
    expect(headers.filter(([name]) => name === 'te' || name === 'trailer')).toEqual([
      ['te', 'trailers'],
      ['trailer', 'x-sum'],
    ]);
  });

  it('never lets a client say what only the platform may say, however it is spelled', () => {
    const spelled = fc
      .tuple(
        fc.constantFrom('x-appengine-', 'x-google-', 'proxy-', 'x-forwarded-p'),
        fc.string({ unit: fc.constantFrom('a', 'U', '-', '_', '1'), maxLength: 8 }),
        fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
      )
      .map(([prefix, rest, flips]) =>
        Array.from(prefix + rest)
          .map((character, index) => (flips[index] ? (character === '-' ? '_' : character.toUpperCase()) : character))
          .join(''),
      );
    const dropped = fc.oneof(
      spelled,
      fc.constantFrom('TE', 'Upgrade', 'Keep-Alive', 'Transfer_Encoding', 'Host', 'Expect', 'Forwarded', 'HTTP2-Settings'),
    );
    fc.assert(
      fc.property(fc.array(dropped, { minLength: 1, maxLength: 6 }), (names) => {
        const headers = policy.forInstance(
          names.flatMap((name) => [name, 'evil']),
          facts,
        );
        expect(headers.join('\n')).not.toContain('evil');
        expect(headers.filter((_, index) => index % 2 === 0)).toEqual(ours);
      }),
      { numRuns: 1_000 },
    );
  });

  it('drops what Connection names, never what it adds itself', () => {
    const named = fc.subarray([...ours, 'X-Mine', 'Cookie', 'Accept']);
    fc.assert(
      fc.property(named, (names) => {
        const headers = pairs(policy.forInstance(['X-Mine', '1', 'Cookie', '2', 'Connection', names.join(', ')], facts));
        for (const name of ours) expect(headers.filter(([other]) => other === name)).toHaveLength(1);
        expect(headers.some(([name]) => name === 'x-mine')).toBe(!names.includes('X-Mine'));
        expect(headers.some(([name]) => name === 'cookie')).toBe(!names.includes('Cookie'));
        expect(headers.some(([name]) => name === 'connection')).toBe(false);
      }),
    );
  });

  it('tells the app its deadline', () => {
    const headers = pairs(policy.forInstance([], { ...facts, deadlineMs: 86_400_000 }));
    expect(headers).toContainEqual(['x-appengine-timeout-ms', '86400000']);
  });

  it('drops what would begin another header', () => {
    for (const evil of ['a\rb: c', 'a\nb: c', 'a\r\nb: c', 'a\0']) {
      const raw = ['X-A', evil, 'Cookie', evil, 'X-Forwarded-For', evil, `X-${evil}`, 'a'];
      const visitor = { userId: '1', email: evil, isAdmin: true };
      expect(policy.forInstance(raw, { ...facts, visitor })).toEqual(policy.forInstance([], facts));
      expect(policy.forInstance([], { ...facts, visitor: { ...visitor, userId: evil, email: 'a@b' } })).toEqual(
        policy.forInstance([], facts),
      );
    }
  });

  it('does not remember names without end', () => {
    const own = new HeaderPolicy('localhost');
    for (let index = 0; index < 5_000; index++) own.forInstance([`X-${index}`, 'a'], facts);
    expect(pairs(own.forInstance(['X-Appengine-Late', 'evil'], facts)).join()).not.toContain('evil');
  });
});

describe('forClient', () => {
  it('drops hop-by-hop headers, those that Connection names, Date, Server and the platform’s own', () => {
    const raw = [
      'Connection',
      'X-Hop',
      'X-Hop',
      '1',
      'Keep-Alive',
      'timeout=5',
      'Date',
      'x',
      'Server',
      'x',
      'X-AppEngine-BlobKey',
      'x',
      'X-A',
      'ä',
    ];
    expect(policy.forClient(raw)).toEqual({ headers: ['X-A', 'ä'], contentLength: undefined });
  });

  it('reads one length and refuses two', () => {
    expect(policy.forClient(['Content-Length', '12']).contentLength).toBe(12);
    for (const raw of [
      ['Content-Length', '1', 'content-length', '2'],
      ['Content-Length', '1x'],
      ['Content-Length', ''],
    ]) {
      expect(() => policy.forClient(raw)).toThrow(expect.objectContaining({ code: 'ROUTE_BAD_RESPONSE' }));
    }
  });

  it('gives a new client its bucket unless the app sets one', () => {
    expect(policy.forClient([], 42).headers).toEqual([
      'Set-Cookie',
      'GOOGAPPUID=42; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax',
      'Cache-Control',
      'private',
    ]);
    expect(policy.forClient(['Set-Cookie', 'GOOGAPPUID=7'], 42).headers).toEqual(['Set-Cookie', 'GOOGAPPUID=7']);
  });
});

describe('withoutSharedDomain', () => {
  it.each([
    ['a=1; Domain=example.com; Path=/', 'a=1; Path=/'],
    ['a=1; domain=.COM', 'a=1'],
    ['a=1; Domain=apps.example.com', 'a=1'],
    ['a=1; Domain=hello.apps.example.com', 'a=1; Domain=hello.apps.example.com'],
    ['a=1; Domain=other.com', 'a=1; Domain=other.com'],
    ['domain=example.com', 'domain=example.com'],
    ['a=b;Domain=;Secure', 'a=b;Domain=;Secure'],
  ])('turns %s into %s', (cookie, expected) => expect(withoutSharedDomain(cookie, 'apps.example.com')).toBe(expected));
});
