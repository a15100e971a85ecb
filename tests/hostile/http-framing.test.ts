// Hostile numbers 40 to 45, 48, 49 and 55: requests whose framing or head is malformed or ambiguous.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpFront, statuses } from './http-front.ts';

let front: HttpFront;

beforeEach(async () => {
  front = await HttpFront.start();
  await front.app();
});

afterEach(async () => {
  await front.close();
  expect(front.instances.leasesOpen).toBe(0);
});

const request = (lines: readonly string[], body = '', first = 'POST / HTTP/1.1'): string =>
  [first, 'Host: hello.localhost', ...lines, '', body].join('\r\n');

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: hello.localhost\r\n\r\n';

/** Refused with 400 as the only answer, connection closed, nothing of it given to the app. */
const refused = async (text: string): Promise<void> => {
  expect(statuses(await front.send(text))).toEqual([400]);
  expect(front.seen).toEqual([]);
};

describe('40 both length and encoding, or an encoding in disguise', () => {
  it.each([
    ['CL.TE', ['Content-Length: 6', 'Transfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`],
    ['TE.CL', ['Transfer-Encoding: chunked', 'Content-Length: 4'], `5c\r\n${smuggled}\r\n0\r\n\r\n`],
    ['TE.TE second hidden', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], `0\r\n\r\n${smuggled}`],
    ['TE.TE first hidden', ['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`],
    ['twice chunked', ['Transfer-Encoding: chunked, chunked'], `0\r\n\r\n${smuggled}`],
    ['chunked not last', ['Transfer-Encoding: chunked, gzip'], `0\r\n\r\n${smuggled}`],
    ['gzip before', ['Transfer-Encoding: gzip, chunked'], `0\r\n\r\n${smuggled}`],
    ['another word', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${smuggled}`],
    ['with a tab', ['Transfer-Encoding:\tchunked', 'Content-Length: 5'], `0\r\n\r\n${smuggled}`],
    ['empty', ['Transfer-Encoding: '], `0\r\n\r\n${smuggled}`],
    ['quoted', ['Transfer-Encoding: "chunked"'], `0\r\n\r\n${smuggled}`],
  ])('40 %s', async (_name, lines, body) => refused(request(lines, body)));

  it('40 an encoding in HTTP/1.0', async () =>
    refused(request(['Transfer-Encoding: chunked', 'Connection: keep-alive'], `0\r\n\r\n${smuggled}`, 'POST / HTTP/1.0')));

  it.each(['DELETE', 'OPTIONS', 'GET'])('40 a chunked %s is one request to the app', async (method) => {
    const body = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    const answer = await front.send(request(['Transfer-Encoding: chunked', 'Connection: close'], body, `${method} / HTTP/1.1`));
    expect(statuses(answer)).toEqual([200]);
    expect(front.seen.map(({ url }) => url)).toEqual(['/']);
  });
});

describe('41 lengths that are not one number', () => {
  it.each(['+5', '0x5', '5,5', '', '-5', '5 5', '5.0', '1e1', '٥', '99999999999999999999', ' '])('41 Content-Length: %s', async (length) =>
    refused(request([`Content-Length: ${length}`], 'hello')),
  );

  it.each([
    ['the same', ['Content-Length: 5', 'Content-Length: 5']],
    ['different', ['Content-Length: 5', 'Content-Length: 0']],
  ])('41 two Content-Lengths, %s', async (_name, lines) => refused(request(lines, 'hello')));
});

describe('42 hosts', () => {
  it('42 two Host headers', async () => refused(request(['Host: other.localhost'])));
  it('42 none', async () => refused('GET / HTTP/1.1\r\n\r\n'));
  it('42 none beside an absolute target', async () => refused('GET http://hello.localhost/ HTTP/1.1\r\n\r\n'));
  it('42 an empty one', async () => refused('GET / HTTP/1.1\r\nHost:\r\n\r\n'));

  it.each([
    'user@hello.localhost',
    'hello.localhost/x',
    'hello.localhost:80:80',
    'hello.localhost evil',
    'hello.localhost#',
    '..localhost',
  ])('42 a host that is none: %s', async (host) => {
    const answer = await front.send(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect([400, 404]).toContain(statuses(answer)[0]);
    expect(front.seen).toEqual([]);
  });
});

describe('43 heads that parsers read differently', () => {
  it.each([
    ['bare LF between headers', 'GET / HTTP/1.1\nHost: hello.localhost\n\n'],
    ['bare LF after one header', 'GET / HTTP/1.1\r\nHost: hello.localhost\nX-A: b\r\n\r\n'],
    ['bare CR in a value', 'GET / HTTP/1.1\r\nHost: hello.localhost\r\nX-A: b\rX-B: c\r\n\r\n'],
    ['folded line', 'GET / HTTP/1.1\r\nHost: hello.localhost\r\nX-A: b\r\n c\r\n\r\n'],
    ['folded first line', 'GET / HTTP/1.1\r\n X-A: b\r\nHost: hello.localhost\r\n\r\n'],
    ['NUL in a value', 'GET / HTTP/1.1\r\nHost: hello.localhost\r\nX-A: b\0c\r\n\r\n'],
    ['NUL in a name', 'GET / HTTP/1.1\r\nHost: hello.localhost\r\nX-\0A: b\r\n\r\n'],
    ['space before the colon', 'GET / HTTP/1.1\r\nHost: hello.localhost\r\nX-A : b\r\n\r\n'],
    ['empty name', 'GET / HTTP/1.1\r\nHost: hello.localhost\r\n: b\r\n\r\n'],
    ['no colon', 'GET / HTTP/1.1\r\nHost: hello.localhost\r\nX-A\r\n\r\n'],
    ['control character in the target', 'GET /\x01 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n'],
    ['raw byte in the target', 'GET /\xe4 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n'],
    ['fragment in the target', 'GET /a#b HTTP/1.1\r\nHost: hello.localhost\r\n\r\n'],
    ['no target', 'GET HTTP/1.1\r\nHost: hello.localhost\r\n\r\n'],
    ['HTTP/0.9', 'GET /\r\n\r\n'],
    ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: hello.localhost\r\n\r\n'],
    ['HTTP/2.0', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['no such method', 'G<T / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n'],
  ])('43 %s', async (_name, text) => refused(text));
});

describe('44 chunks', () => {
  const chunked = (body: string): string => request(['Transfer-Encoding: chunked'], body);

  it.each([
    ['no size', '\r\nhello\r\n0\r\n\r\n'],
    ['negative', '-5\r\nhello\r\n0\r\n\r\n'],
    ['with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['overflow', 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'],
    ['bare LF after the size', '5\nhello\r\n0\r\n\r\n'],
    ['bare LF after the data', '5\r\nhello\n0\r\n\r\n'],
    ['data longer than the size', '3\r\nhello\r\n0\r\n\r\n'],
    ['space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['line feed in an extension', `5;a=\nb\r\nhello\r\n0\r\n\r\n`],
  ])('44 size: %s', async (_name, body) => {
    expect(statuses(await front.send(chunked(body)))).toEqual([400]);
    // The app may have seen the head, but never a request that is complete.
    expect(front.instances.released.map(({ outcome }) => outcome)).not.toContain('answered');
  });

  it('44 endless extensions', async () => {
    const [status] = statuses(await front.send(chunked(`5;${'x'.repeat(64 * 1024)}\r\nhello\r\n0\r\n\r\n`)));
    expect([400, 413]).toContain(status);
  });

  it('44 trailers do not become headers', async () => {
    const text = request(
      ['Transfer-Encoding: chunked', 'Trailer: X-Appengine-User-Email', 'Connection: close'],
      '2\r\nhi\r\n0\r\nX-Appengine-User-Email: root\r\n\r\n',
    );
    expect(statuses(await front.send(text))).toEqual([200]);
    expect(JSON.stringify(front.seen)).not.toContain('root');
  });
});

describe('45 absolute targets', () => {
  it('45 the target’s host decides, and the app sees that one', async () => {
    const answer = await front.send('GET http://hello.localhost/p?q HTTP/1.1\r\nHost: other.localhost\r\nConnection: close\r\n\r\n');
    expect(statuses(answer)).toEqual([200]);
    expect(front.seen[0]).toMatchObject({ url: '/p?q', headers: { host: 'hello.localhost', 'x-forwarded-host': 'hello.localhost' } });
  });

  it('45 a known Host does not help an unknown target', async () => {
    const answer = await front.send('GET http://other.localhost/ HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n');
    expect(statuses(answer)).toEqual([404]);
    expect(front.seen).toEqual([]);
  });

  it.each(['http:///', 'ftp://hello.localhost/', 'http:hello', '*', 'hello.localhost:80'])('45 %s is refused', async (target) => {
    const method = target === '*' ? 'OPTIONS' : 'GET';
    await refused(`${method} ${target} HTTP/1.1\r\nHost: hello.localhost\r\n\r\n`);
  });
});

describe('48 heads that are too large', () => {
  // An app's own server has limits too: it must not even be asked.
  afterEach(() => expect(front.instances.acquired).toEqual([]));

  it('48 a line of 64 KiB', async () => {
    expect(statuses(await front.send(request([`X-A: ${'a'.repeat(64 * 1024)}`])))).toEqual([431]);
  });

  it('48 a target of 64 KiB', async () => {
    const answer = await front.send(`GET /${'a'.repeat(64 * 1024)} HTTP/1.1\r\nHost: hello.localhost\r\n\r\n`);
    expect(statuses(answer)).toEqual([414]);
    expect(answer).toContain('"code":"ROUTE_URL_TOO_LONG"');
    expect(front.seen).toEqual([]);
  });

  it('48 100,000 headers', async () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => `X${index}: a`);
    expect(statuses(await front.send(request(lines)))).toEqual([431]);
  });

  it('48 101 short headers, which fit into the bytes', async () => {
    const lines = Array.from({ length: 101 }, (_, index) => `X${index}: a`);
    const answer = await front.sendUntil(request(lines, '', 'GET / HTTP/1.1'), /\r\n\r\n[^]/);
    expect(statuses(answer)).toEqual([431]);
    expect(front.seen).toEqual([]);
  });
});

describe('49 garbage after a good request', () => {
  it('49 the good one is answered whole, then 400', async () => {
    const answer = await front.send(`GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n\0\0garbage\r\n\r\n`);
    expect(statuses(answer)).toEqual([200, 400]);
    expect(answer.indexOf('ok')).toBeLessThan(answer.lastIndexOf('HTTP/1.1'));
  });

  it('49 two good ones are both answered, in order, then 400', async () => {
    const good = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: hello.localhost\r\n\r\n`;
    expect(statuses(await front.send(`${good('/1')}${good('/2')}garbage\r\n\r\n`))).toEqual([200, 200, 400]);
    expect(front.seen).toHaveLength(2);
  });
});

describe('55 methods', () => {
  it.each(['TRACE / HTTP/1.1', 'CONNECT hello.localhost:443 HTTP/1.1', 'TRACE http://hello.localhost/ HTTP/1.1'])(
    '55 %s is 405',
    async (first) => {
      const answer = await front.send(`${first}\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n`);
      expect(statuses(answer)).toEqual([405]);
      expect(answer).toMatch(/\r\nAllow: GET, /);
      expect(front.seen).toEqual([]);
    },
  );
});
