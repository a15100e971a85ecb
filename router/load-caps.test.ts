import { describe, expect, it } from 'vitest';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Caps, capsWithin, LoadCaps, openFilesOf } from './load-caps.ts';

const SMALL: Caps = { connections: 4, connectionsPerAddress: 2, requests: 5, requestsPerApp: 2, requestsPerAddress: 3 };
const code = (action: () => unknown): unknown => {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as { readonly code: unknown }).code;
  }
};

describe('the caps that fit', () => {
  it.each([undefined, 1_048_576, openFilesOf(capsWithin(undefined))])('with %s open files are the limits', (files) => {
    expect(capsWithin(files)).toEqual({
      connections: LIMITS.clientConnectionsMax,
      connectionsPerAddress: LIMITS.clientConnectionsPerAddressMax,
      requests: LIMITS.requestsInFlightMax,
      requestsPerApp: LIMITS.requestsInFlightPerAppMax,
      requestsPerAddress: LIMITS.requestsInFlightPerAddressMax,
    });
  });

  it.each([35_999, 20_000, 4_096, 1_024, 256])('with %s open files stay below them, and no app or address has all', (files) => {
    const caps = capsWithin(files);
    // What is kept back for others is at most half.
    expect(caps.connections + 2 * caps.requests + Math.min(1_000, files / 2)).toBeLessThanOrEqual(files);
    expect(caps.requestsPerApp).toBeLessThan(caps.requests / 2);
    expect(caps.requestsPerAddress).toBeLessThan(caps.requests / 2);
    expect(caps.connectionsPerAddress).toBeLessThan(caps.connections / 2);
    expect(Math.min(...(Object.values(caps) as number[]))).toBeGreaterThan(0);
  });
});

describe('connections', () => {
  it('of one address are counted, of an IPv6 network together, and forgotten when they close', () => {
    const caps = new LoadCaps(SMALL);
    const first = caps.connect('2001:db8:1:2::1', false);
    expect(caps.connect('2001:db8:1:2::2', false)).toBe(first);
    expect(caps.connect('2001:db8:1:2::3', false)).toBeUndefined();
    expect(caps.connect('2001:db8:1:3::1', false)).toBeDefined();
    if (first) caps.disconnect(first);
    expect(caps.connect('2001:db8:1:2::3', false)).toBe(first);
    if (first) for (let count = 0; count < 2; count++) caps.disconnect(first);
    expect(caps.addresses).toBe(1);
  });

  it('of a trusted proxy are bounded by the whole alone', () => {
    const caps = new LoadCaps(SMALL);
    for (let count = 0; count < 4; count++) expect(caps.connect('192.0.2.1', true)).toBeDefined();
    expect(caps.connect('192.0.2.1', true)).toBeUndefined();
    expect(caps.isNearlyFull).toBe(true);
    expect(caps.addresses).toBe(1);
  });
});

describe('requests', () => {
  it('of one app stop at its share, and another’s go on', () => {
    const caps = new LoadCaps(SMALL);
    caps.enterApp('slow');
    const slow = caps.enterApp('slow');
    expect(code(() => caps.enterApp('slow'))).toBe('ROUTE_APP_BUSY');
    expect(code(() => caps.enterApp('other'))).toBeUndefined();
    const client = caps.loadOf('192.0.2.1');
    caps.enter(client);
    caps.leave(client, slow);
    expect(code(() => caps.enterApp('slow'))).toBeUndefined();
  });

  it('of one address stop at its share, of all together at the whole', () => {
    const caps = new LoadCaps(SMALL);
    const enter = (address: string): unknown => {
      const client = caps.loadOf(address);
      caps.enter(client);
      const refusal = code(() => caps.admitClient(client));
      if (refusal !== undefined) caps.leave(client, undefined);
      return refusal;
    };
    expect(Array.from({ length: 4 }, () => enter('192.0.2.1'))).toEqual([undefined, undefined, undefined, 'ROUTE_CLIENT_BUSY']);
    expect(Array.from({ length: 3 }, () => enter('192.0.2.2'))).toEqual([undefined, undefined, 'ROUTE_OVERLOADED']);
    expect(caps.addresses).toBe(2);
    for (const [address, count] of [
      ['192.0.2.1', 3],
      ['192.0.2.2', 2],
    ] as const) {
      for (let left = count; left > 0; left--) caps.leave(caps.loadOf(address), undefined);
    }
    expect(caps.addresses).toBe(0);
  });
});
