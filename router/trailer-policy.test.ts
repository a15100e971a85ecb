import { describe, expect, it } from 'vitest';
import { LIMITS } from '../sdk/contract/limits.ts';
import { acceptsTrailers, passedAnnouncement, passedTrailers } from './trailer-policy.ts';

describe('trailers', () => {
  it('pass in lower case, from texts and from bytes', () => {
    expect(passedTrailers(['Grpc-Status', '0', Buffer.from('X-Check'), Buffer.from('a b')])).toEqual([
      ['grpc-status', '0'],
      ['x-check', 'a b'],
    ]);
  });

  it.each([
    ...['Content-Length', 'Transfer-Encoding', 'Trailer', 'Host', 'Connection', 'TE', 'Upgrade', 'Authorization', 'Cookie', 'Set-Cookie'],
    ...['Content-Type', 'Content-Encoding', 'Cache-Control', 'Location', 'X-Appengine-User-Email', 'X_Appengine_User_Email', 'x-google-a'],
    ...['X-Forwarded-For', 'Forwarded', 'Proxy-Authorization', 'Access-Control-Allow-Origin', 'Content_Length', 'traceparent', ':path'],
    ...['', 'a b', 'a\r\nb'],
  ])('never hold %j', (name) => {
    expect(passedTrailers([name, '1', 'X-Good', '2'])).toEqual([['x-good', '2']]);
    expect(passedAnnouncement(`${name}, X-Good`)).toBe('x-good');
  });

  it.each(['a\r\nb: c', 'a\0', 'a\nb', 'ā'])('never hold the value %j', (value) => {
    expect(passedTrailers(['X-A', value])).toEqual([]);
  });

  it('end at the limit', () => {
    const raw = Array.from({ length: LIMITS.trailersMax * 2 }, (_, index) => [`x-${index}`, 'a']).flat();
    expect(passedTrailers(raw)).toHaveLength(LIMITS.trailersMax);
  });

  it.each([undefined, null, []])('are none for %j', (raw) => {
    expect(passedTrailers(raw)).toEqual([]);
  });

  it.each([undefined, '', 'Host', ' , '])('are not announced by %j', (header) => {
    expect(passedAnnouncement(header)).toBeUndefined();
  });
});

it.each([
  [undefined, false],
  ['trailers', true],
  ['Trailers', true],
  ['deflate;q=0.5, trailers', true],
  ['trailers;q=0.5', true],
  [['deflate', 'trailers'], true],
  ['deflate', false],
  ['xtrailers', false],
  ['', false],
])('TE: %j reads trailers: %s', (te, isWanted) => {
  expect(acceptsTrailers(te)).toBe(isWanted);
});
