import { describe, expect, it } from 'vitest';
import { parseRange } from './byte-range.ts';
import { type StaticFile } from './ports.ts';
import { decideStatic, type StaticAnswer, type StaticRequest } from './static-answer.ts';

const file = { sha256: 'a'.repeat(64), bytes: 10 };
const deployedAtMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const DEPLOYED = 'Fri, 02 Jan 2026 03:04:05 GMT';
const etag = `"${file.sha256}"`;
const decide = (
  headers: Record<string, string> = {},
  options: object = {},
  path = 'x.css',
  request: Partial<StaticRequest> = {},
  of: StaticFile = file,
): StaticAnswer => decideStatic({ method: 'GET', headers, nowMs: 0, ...request }, path, of, { expirationSeconds: 60, ...options });
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
    expect(decide({ 'if-none-match': value })).toMatchObject({ status: 304, part: undefined });
  });

  it('honours a range only for the same content', () => {
    expect(decide({ range: 'bytes=0-1', 'if-range': etag })).toMatchObject({ status: 206, part: { range: { start: 0, end: 1 } } });
    expect(decide({ range: 'bytes=0-1', 'if-range': '"other"' })).toMatchObject({ status: 200, part: { range: { start: 0, end: 9 } } });
    expect(decide({ range: 'bytes=0-1', 'if-range': `W/${etag}` })).toMatchObject({ status: 200 });
    expect(decide({ range: 'bytes=0-1', 'if-range': DEPLOYED }, {}, 'x.css', { deployedAtMs })).toMatchObject({ status: 200 });
    expect(decide({ range: 'bytes=0-1' }, {}, 'x.css', { method: 'HEAD' })).toMatchObject({ status: 200, part: undefined });
  });

  it('says what there is when no part of it was asked for', () => {
    const answer = decide({ range: 'bytes=10-' });
    expect(answer).toMatchObject({ status: 416, part: undefined });
    expect(header(answer, 'content-range')).toBe('bytes */10');
  });

  it('is 304 for the very date of the deploy, since a rollback makes files older', () => {
    const since = (date: string, more: object = {}): number =>
      decide({ 'if-modified-since': date, ...more }, {}, 'x.css', { deployedAtMs }).status;
    expect(header(decide({}, {}, 'x.css', { deployedAtMs }), 'last-modified')).toBe(DEPLOYED);
    expect(since(DEPLOYED)).toBe(304);
    expect(since('Thu, 01 Jan 2037 00:00:00 GMT')).toBe(200);
    expect(since('nonsense')).toBe(200);
    expect(since(DEPLOYED, { 'if-none-match': '"other"' })).toBe(200);
  });

  it('is 412 when the client wants another content than there is', () => {
    const status = (headers: Record<string, string>): number => decide(headers, {}, 'x.css', { deployedAtMs }).status;
    expect(status({ 'if-match': '"other"' })).toBe(412);
    expect(status({ 'if-match': `W/${etag}` })).toBe(412);
    expect(status({ 'if-match': `"other", ${etag}` })).toBe(200);
    expect(status({ 'if-match': '*' })).toBe(200);
    expect(status({ 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' })).toBe(412);
    expect(status({ 'if-unmodified-since': DEPLOYED })).toBe(200);
    expect(status({ 'if-match': etag, 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' })).toBe(200);
  });

  it('gives a new visitor of a split his bucket, past every shared cache', () => {
    const answer = decide({}, { httpHeaders: { 'Cache-Control': 'public, max-age=9' } }, 'x.css', { newBucket: 7 });
    expect(header(answer, 'set-cookie')).toMatch(/^GOOGAPPUID=7; Path=\//);
    expect(answer.headers.filter((text) => text === 'Cache-Control')).toHaveLength(1);
    expect(header(answer, 'cache-control')).toBe('private, max-age=60');
  });

  it('is for the client alone where it is behind a log-in', () => {
    expect(header(decide({}, {}, 'x.css', { isPrivate: true }), 'cache-control')).toBe('private, no-cache');
  });
});

describe('a file that was compressed', () => {
  const br = { sha256: 'b'.repeat(64), bytes: 4 };
  const gzip = { sha256: 'c'.repeat(64), bytes: 6 };
  const coded = { ...file, encodings: { br, gzip } };
  const ask = (headers: Record<string, string>, path = 'x.css', method = 'GET', options: object = {}): StaticAnswer =>
    decide(headers, options, path, { method }, coded);

  it.each([
    ['gzip, br', 'br', br],
    ['gzip', 'gzip', gzip],
    ['identity', undefined, coded],
  ])('for %s is %s, with an ETag and a length of its own', (accepted, coding, blob) => {
    const answer = ask({ 'accept-encoding': accepted });
    expect(answer.part?.blob).toEqual(blob);
    expect(header(answer, 'content-encoding')).toBe(coding);
    expect(header(answer, 'etag')).toBe(`"${blob.sha256}"`);
    expect(header(answer, 'content-length')).toBe(String(blob.bytes));
    expect(header(answer, 'vary')).toBe('Accept-Encoding');
    expect(header(answer, 'content-type')).toBe('text/css; charset=utf-8');
  });

  it('has the same head for HEAD', () => {
    const headers = { 'accept-encoding': 'br' };
    expect(ask(headers, 'x.css', 'HEAD').headers).toEqual(ask(headers).headers);
    expect(ask(headers, 'x.css', 'HEAD').part).toBeUndefined();
  });

  it('compares and cuts the form that the client accepts', () => {
    const accepts = { 'accept-encoding': 'br' };
    expect(ask({ ...accepts, 'if-none-match': `"${br.sha256}"` }).status).toBe(304);
    expect(header(ask({ ...accepts, 'if-none-match': `"${br.sha256}"` }), 'etag')).toBe(`"${br.sha256}"`);
    expect(ask({ ...accepts, 'if-none-match': etag }).status).toBe(200);
    const part = ask({ ...accepts, range: 'bytes=2-', 'if-range': `"${br.sha256}"` });
    expect(part).toMatchObject({ status: 206, part: { blob: br, range: { start: 2, end: 3 } } });
    expect(header(part, 'content-range')).toBe('bytes 2-3/4');
    expect(ask({ ...accepts, range: 'bytes=2-', 'if-range': etag })).toMatchObject({ status: 200, part: { blob: br } });
    expect(header(ask({ ...accepts, range: 'bytes=8-' }), 'content-range')).toBe('bytes */4');
  });

  it('goes out as it is where its type does not vary', () => {
    expect(ask({ 'accept-encoding': 'br' }, 'x.png').part?.blob).toEqual(coded);
  });

  it('keeps varying by encoding whatever Vary the app adds', () => {
    const { headers } = ask({ 'accept-encoding': 'br' }, 'x.css', 'GET', { httpHeaders: { vary: 'Origin', 'Content-Encoding': 'x' } });
    expect(headers.filter((_, at) => at % 2 === 1 && headers[at - 1]?.toLowerCase() === 'vary')).toEqual(['Accept-Encoding', 'Origin']);
    expect(headers).not.toContain('x');
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
