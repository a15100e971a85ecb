import { afterEach, expect, test } from 'vitest';
import { LOOP_SYMBOL, type UrlFetchAnswer, type UrlFetchCall } from '../contract/services/url-fetch.ts';
import { InProcessRpc } from '../contract/wire/client.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { UrlFetchClient } from './url-fetch.ts';

const calls: UrlFetchCall[] = [];
const answer: UrlFetchAnswer = {
  status: 200,
  headers: [
    ['Content-Type', 'text/plain'],
    ['X-Many', 'a'],
    ['x-many', 'b'],
    ['Set-Cookie', 'a=1, still a'],
    ['Set-Cookie', 'b=2'],
  ],
  content: Buffer.from('hello'),
  finalUrl: 'http://example.com/there',
  contentWasTruncated: false,
};
const fetch = (payload: unknown): UrlFetchAnswer => {
  calls.push(payload as UrlFetchCall);
  return answer;
};
const urlFetch = new UrlFetchClient(new InProcessRpc([{ name: 'urlfetch', methods: { fetch } }], new VirtualTime()));
const loops = globalThis as { [key: symbol]: unknown };

afterEach(() => {
  calls.length = 0;
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- set by a test below
  delete loops[Symbol.for(LOOP_SYMBOL)];
});

test("App Engine's defaults stand in for what is not said", async () => {
  await urlFetch.fetch(new URL('http://example.com/'));
  expect(calls).toEqual([
    {
      url: 'http://example.com/',
      method: 'GET',
      headers: [],
      followRedirects: true,
      deadlineMs: 10_000,
      validateCertificate: true,
      allowTruncated: false,
    },
  ]);
});

test('headers may have several values, and a payload may be text', async () => {
  await urlFetch.fetch('http://example.com/', { method: 'POST', payload: 'é', headers: { 'X-A': ['1', '2'], 'X-B': '3' } });
  expect(calls[0]?.headers).toEqual([
    ['X-A', '1'],
    ['X-A', '2'],
    ['X-B', '3'],
  ]);
  expect(Buffer.from(calls[0]?.payload ?? []).toString('hex')).toBe('c3a9');
});

test('headers of the answer are found by their lower-case name, cookies one by one', async () => {
  expect(await urlFetch.fetch('http://example.com/')).toEqual({
    status: 200,
    headers: { 'content-type': 'text/plain', 'x-many': 'a, b' },
    setCookies: ['a=1, still a', 'b=2'],
    content: answer.content,
    finalUrl: 'http://example.com/there',
    contentWasTruncated: false,
  });
});

test('a fetch for a request that came by a fetch goes on with its CDN-Loop', async () => {
  loops[Symbol.for(LOOP_SYMBOL)] = () => 'appengine; app=a';
  await urlFetch.fetch('http://example.com/');
  expect(calls[0]?.headers).toEqual([['CDN-Loop', 'appengine; app=a']]);
});
