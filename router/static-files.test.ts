import { describe, expect, it } from 'vitest';
import { parseRange } from './byte-range.ts';
import { decideStatic, type StaticAnswer } from './static-files.ts';

const file = { sha256: 'a'.repeat(64), bytes: 10 };
const etag = `"${file.sha256}"`;
const decide = (headers: Record<string, string> = {}, options: object = {}, path = 'x.css'): StaticAnswer =>
  decideStatic({ method: 'GET', headers, nowMs: 0 }, path, file, { expirationSeconds: 60, ...options });
const header = (answer: StaticAnswer, name: string): string | undefined => {
  const index = answer.headers.findIndex((text, at) => at % 2 === 0 && text.toLowerCase() === name);
  return index < 0 ? undefined : answer.headers[index + 1];
};

describe('decideStatic', () => {
  it('says how long the file lasts', () => {
    expect(header(decide(), 'cache-control')).toBe('public, max-age=60');
    expect(header(decide(), 'expires')).toBe('Thu, 01 Jan 1970 00:01:00 GMT');
    expect(header(decide({}, { expirationSeconds: 0 }), 'cache-control')).toMatch(/no-cache/);
  });

  it('takes the type from app.yaml, then from the extension', () => {
    expect(header(decide(), 'content-type')).toBe('text/css; charset=utf-8');
    expect(header(decide({}, { mimeType: 'text/x-own' }), 'content-type')).toBe('text/x-own');
    expect(header(decide({}, {}, 'x.unknown'), 'content-type')).toBe('application/octet-stream');
    expect(header(decide({}, {}, 'constructor'), 'content-type')).toBe('application/octet-stream');
  });

  it('varies by encoding only where compression may come', () => {
    expect(header(decide(), 'vary')).toBe('Accept-Encoding');
    expect(header(decide({}, {}, 'x.png'), 'vary')).toBeUndefined();
  });

  it('lets app.yaml replace headers, but not the framing', () => {
    const answer = decide({}, { httpHeaders: { 'cache-control': 'no-store', 'Content-Length': '99', 'X-A': 'b' } });
    expect(header(answer, 'cache-control')).toBe('no-store');
    expect(header(answer, 'content-length')).toBe('10');
    expect(header(answer, 'x-a')).toBe('b');
  });

  it.each([etag, `W/${etag}`, `"x", ${etag}`, '*'])('is 304 for If-None-Match %s', (value) => {
    expect(decide({ 'if-none-match': value })).toMatchObject({ status: 304, range: undefined });
  });

  it('honours a range only for the same content', () => {
    expect(decide({ range: 'bytes=0-1', 'if-range': etag })).toMatchObject({ status: 206, range: { start: 0, end: 1 } });
    expect(decide({ range: 'bytes=0-1', 'if-range': '"other"' })).toMatchObject({ status: 200, range: { start: 0, end: 9 } });
  });
});

describe('parseRange', () => {
  it.each([
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=5-', { start: 5, end: 9 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-99', { start: 0, end: 9 }],
    ['bytes=0-99', { start: 0, end: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=3-2', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=-', undefined],
    ['lines=1-2', undefined],
    [undefined, undefined],
  ])('reads %s', (text, range) => expect(parseRange(text, 10)).toEqual(range));
});
