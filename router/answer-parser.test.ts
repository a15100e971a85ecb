import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../sdk/contract/limits.ts';
import { AnswerParser } from './answer-parser.ts';

interface Reading {
  readonly heads: readonly { readonly status: number; readonly fields: readonly string[] }[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** Or what was left over after it. */
  readonly end: 'complete' | 'incomplete' | 'refused' | `left ${string}`;
  readonly mayKeep: boolean;
  readonly keepAliveMs: number | undefined;
}

interface ReadOptions {
  readonly isToHead?: boolean;
  /** Whether the connection ends after it. */
  readonly ends?: boolean;
  /** Sizes of the pieces; the rest comes in one. */
  readonly cuts?: readonly number[];
  /** Which events, in turn, say that the parser must stop. */
  readonly stops?: readonly boolean[];
}

function read(text: string, { isToHead = false, ends = false, cuts = [], stops = [] }: ReadOptions = {}): Reading {
  const heads: { status: number; fields: string[] }[] = [];
  let body = '';
  let events = 0;
  const goesOn = (): boolean => stops[events++] !== true;
  const parser = new AnswerParser({
    onHead: (status, fields) => {
      heads.push({ status, fields });
      return goesOn();
    },
    onBody: (chunk) => {
      body += chunk.toString('latin1');
      return goesOn();
    },
  });
  parser.begin(isToHead);
  const bytes = Buffer.from(text, 'latin1');
  let end: Reading['end'];
  let taken = 0;
  try {
    let at = 0;
    for (const cut of [...cuts, bytes.length]) {
      const to = Math.min(bytes.length, at + cut);
      while (at < to && !parser.isComplete) {
        const before = events;
        const count = parser.execute(bytes.subarray(at, to));
        // It stops short for nothing but what it was told.
        expect(count === to - at || parser.isComplete || (parser.isStopped && stops[events - 1] === true && events > before)).toBe(true);
        at += count;
        taken = at;
      }
    }
    if (ends) parser.finish();
    end = parser.isComplete ? (taken === bytes.length ? 'complete' : `left ${bytes.toString('latin1', taken)}`) : 'incomplete';
  } catch (error) {
    expect(error).toMatchObject({ code: 'ROUTE_BAD_RESPONSE' });
    end = 'refused';
  }
  const { trailers, mayKeep, keepAliveMs } = parser;
  // How much of a refused one was handed on depends on how it came.
  return end === 'refused'
    ? { heads: [], body: '', trailers: [], end, mayKeep: false, keepAliveMs: undefined }
    : { heads, body, trailers, end, mayKeep, keepAliveMs };
}

const answer = (lines: readonly string[], body = '', first = 'HTTP/1.1 200 OK'): string => [first, ...lines, '', body].join('\r\n');
const chunked = (body: string): string => answer(['Transfer-Encoding: chunked'], body);

const WELL_FORMED: readonly (readonly [string, string, Partial<Reading>, ReadOptions?])[] = [
  ['a length', answer(['Content-Length: 2'], 'hi'), { body: 'hi', mayKeep: true }],
  ['no bytes', answer(['Content-Length: 0']), { body: '', mayKeep: true }],
  ['chunks', chunked('2\r\nhi\r\n00A;x="y;\t\xe9"\r\n0123456789\r\n0\r\n\r\n'), { body: 'hi0123456789', mayKeep: true }],
  ['another case', answer(['TRANSFER-encoding: Chunked'], '0\r\n\r\n'), { body: '', mayKeep: true }],
  ['trailers', chunked('1\r\nx\r\n0\r\nX-Sum: 1\r\nX-B:\t2 \r\n\r\n'), { body: 'x', trailers: ['X-Sum', '1', 'X-B', '2'] }],
  ['until it closes', answer([], 'all'), { body: 'all', mayKeep: false }, { ends: true }],
  ['an end too early', answer(['Content-Length: 3'], 'hi'), { end: 'incomplete' }, { ends: true }],
  ['an end before the last chunk', chunked('2\r\nhi\r\n'), { end: 'incomplete' }, { ends: true }],
  ['an end within the head', 'HTTP/1.1 200 OK\r\nX-A: ', { end: 'incomplete' }, { ends: true }],
  ['no reason', answer(['Content-Length: 0'], '', 'HTTP/1.1 404'), { heads: [{ status: 404, fields: ['Content-Length', '0'] }] }],
  ['HTTP/1.0', answer(['Content-Length: 2', 'Connection: keep-alive'], 'hi', 'HTTP/1.0 200 OK'), { body: 'hi', mayKeep: false }],
  ['close', answer(['Content-Length: 2', 'Connection: x, CLOSE'], 'hi'), { mayKeep: false }],
  ['keep-alive', answer(['Content-Length: 0', 'Connection: Keep-Alive', 'Keep-Alive: max=9, timeout=7']), { keepAliveMs: 7_000 }],
  ['HEAD', answer(['Content-Length: 5']), { body: '', end: 'complete' }, { isToHead: true }],
  ['HEAD of chunks', answer(['Transfer-Encoding: chunked']), { body: '', end: 'complete' }, { isToHead: true }],
  ['204', answer([], '', 'HTTP/1.1 204 No Content'), { body: '', mayKeep: true }],
  ['304 with a length', answer(['Content-Length: 9'], '', 'HTTP/1.1 304 Not Modified'), { body: '', mayKeep: false }],
  ['bytes after 204', answer([], 'body', 'HTTP/1.1 204 No Content'), { body: '', end: 'left body' }],
  ['two answers', answer(['Content-Length: 2'], 'hiHTTP/1.1 200 OK\r\n\r\n'), { body: 'hi', end: 'left HTTP/1.1 200 OK\r\n\r\n' }],
  ['a line end after it', chunked('0\r\n\r\n\r\n'), { body: '', end: 'left \r\n' }],
  [
    '1xx before',
    `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${answer(['Content-Length: 0'])}`,
    {
      heads: [
        { status: 103, fields: ['Link', 'a'] },
        { status: 102, fields: [] },
        { status: 200, fields: ['Content-Length', '0'] },
      ],
      mayKeep: true,
    },
  ],
  [
    'values as they are',
    answer(['X-A: \t a b\xe9 \t', 'x-b:', 'Content-Length: 0']),
    { heads: [{ status: 200, fields: ['X-A', 'a b\xe9', 'x-b', '', 'Content-Length', '0'] }] },
  ],
];

const MALFORMED: readonly (readonly [string, string])[] = [
  ['garbage', 'garbage\r\n\r\n'],
  ['garbage without a line', 'garbage'],
  ['a line first', `\r\n${answer(['Content-Length: 0'])}`],
  ['HTTP/0.9', answer([], '', 'HTTP/0.9 200 OK')],
  ['HTTP/2', answer([], '', 'HTTP/2.0 200 OK')],
  ['HTTP/1.2', answer([], '', 'HTTP/1.2 200 OK')],
  ['lower case', answer([], '', 'http/1.1 200 OK')],
  ['a short status', answer([], '', 'HTTP/1.1 20 OK')],
  ['a long status', answer([], '', 'HTTP/1.1 2000 OK')],
  ['a low status', answer([], '', 'HTTP/1.1 099 OK')],
  ['a signed status', answer([], '', 'HTTP/1.1 +20 OK')],
  ['two spaces', answer([], '', 'HTTP/1.1  200 OK')],
  ['NUL in the reason', answer([], '', 'HTTP/1.1 200 O\0K')],
  ['bare LF after the status', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
  ['bare LF alone', 'HTTP/1.1 200 OK\n\n'],
  ['bare LF after a header', 'HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\n\r\n'],
  ['bare LF at the end', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n'],
  ['bare CR in a value', answer(['X-A: b\rSet-Cookie: evil=1'])],
  ['bare CR at the end of a line', answer(['X-A: b\r'])],
  ['obs-fold', answer(['X-A: b\r\n c'])],
  ['obs-fold of the first', answer([' X-A: b'])],
  ['NUL in a value', answer(['X-A: b\0c'])],
  ['NUL in a name', answer(['X-\0A: b'])],
  ['DEL in a value', answer(['X-A: b\x7fc'])],
  ['a space before the colon', answer(['X-A : b'])],
  ['a space in a name', answer(['X A: b'])],
  ['no colon', answer(['X-A'])],
  ['no name', answer([': b'])],
  ['two lengths', answer(['Content-Length: 2', 'Content-Length: 3'], 'hi')],
  ['the same length twice', answer(['Content-Length: 2', 'content-length: 2'], 'hi')],
  ...['2, 2', '2,3', '+2', '-2', '0x2', '2x', '2 2', '2.0', '', '9999999999999999'].map(
    (length) => [`Content-Length: ${length}`, answer([`Content-Length: ${length}`], 'hi')] as const,
  ),
  ['length and encoding', answer(['Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n')],
  ['encoding and length', answer(['Transfer-Encoding: chunked', 'Content-Length: 2'], '0\r\n\r\n')],
  ...['gzip, chunked', 'chunked, chunked', 'identity', 'xchunked', 'chunked;q=1', '"chunked"', ''].map(
    (encoding) => [`Transfer-Encoding: ${encoding}`, answer([`Transfer-Encoding: ${encoding}`], '0\r\n\r\n')] as const,
  ),
  ['two encodings', answer(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n')],
  ['an encoding in HTTP/1.0', answer(['Transfer-Encoding: chunked'], '0\r\n\r\n', 'HTTP/1.0 200 OK')],
  ['100', `HTTP/1.1 100 Continue\r\n\r\n${answer(['Content-Length: 0'])}`],
  ['101', answer(['Connection: Upgrade', 'Upgrade: x'], '', 'HTTP/1.1 101 Switching Protocols')],
  ['1xx with a length', answer(['Content-Length: 2'], 'hi', 'HTTP/1.1 103 Early Hints')],
  ['1xx with an encoding', answer(['Transfer-Encoding: chunked'], '0\r\n\r\n', 'HTTP/1.1 103 Early Hints')],
  ['a chunk without size', chunked('\r\nhi\r\n0\r\n\r\n')],
  ['a chunk with a sign', chunked('-2\r\nhi\r\n0\r\n\r\n')],
  ['a chunk with 0x', chunked('0x2\r\nhi\r\n0\r\n\r\n')],
  ['a space before a size', chunked(' 2\r\nhi\r\n0\r\n\r\n')],
  ['a space after a size', chunked('2 \r\nhi\r\n0\r\n\r\n')],
  ['a size over 53 bits', chunked('20000000000000\r\nhi')],
  ['a size that overflows to 2', chunked('10000000000000002\r\nhi\r\n0\r\n\r\n')],
  ['a size of many digits', chunked(`${'0'.repeat(17)}\r\n\r\n`)],
  ['bare LF after a size', chunked('2\nhi\r\n0\r\n\r\n')],
  ['bare LF after the data', chunked('2\r\nhi\n0\r\n\r\n')],
  ['bare CR after the data', chunked('2\r\nhi\r0\r\n\r\n')],
  ['data longer than its size', chunked('1\r\nhi\r\n0\r\n\r\n')],
  ['LF in an extension', chunked('2;a=\nb\r\nhi\r\n0\r\n\r\n')],
  ['CR in an extension', chunked('2;a=\rb\r\nhi\r\n0\r\n\r\n')],
  ['NUL in an extension', chunked('2;a=\0\r\nhi\r\n0\r\n\r\n')],
  ['a broken trailer', chunked('0\r\nX-A : b\r\n\r\n')],
  ['bare LF after the trailers', chunked('0\r\nX-A: b\r\n\n')],
];

describe('a well-formed answer', () => {
  it.each(WELL_FORMED.map(([name, text, expected, options = {}]) => ({ name, text, expected, options })))(
    'is read: $name',
    ({ text, expected, options }) => {
      expect(read(text, options)).toMatchObject({ end: 'complete', ...expected });
    },
  );
});

describe('a malformed answer', () => {
  it.each(MALFORMED)('is refused: %s', (_name, text) => {
    expect(read(text).end).toBe('refused');
  });

  it.each(MALFORMED)('is refused by the byte: %s', (_name, text) => {
    expect(read(text, { cuts: Array.from(text, () => 1) }).end).toBe('refused');
  });
});

it('is the same in any pieces, with any pauses', () => {
  const texts: readonly { readonly text: string; readonly options?: ReadOptions | undefined }[] = [
    ...WELL_FORMED.map(([, text, , options]) => ({ text, options })),
    ...MALFORMED.map(([, text]) => ({ text })),
  ];
  const case_ = fc.constantFrom(...texts);
  fc.assert(
    fc.property(
      case_,
      fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 200 }),
      fc.array(fc.boolean()),
      ({ text, options }, cuts, stops) => {
        const { end, ...whole } = read(text, options);
        const { end: endInPieces, ...pieces } = read(text, { ...options, cuts, stops });
        expect(pieces).toEqual(whole);
        expect(endInPieces.split(' ')[0]).toBe(end.split(' ')[0]);
      },
    ),
    { numRuns: 3_000 },
  );
});

it('gives back any body and fields that were written well', () => {
  const name = fc.stringMatching(/^X-[!#$%&'*+.^_`|~0-9A-Za-z-]{1,9}$/);
  const value = fc.stringMatching(/^(?:[!-~\xa0-\xff](?:[\t -~\xa0-\xff]{0,20}[!-~\xa0-\xff])?)?$/);
  const fields = fc.array(fc.tuple(name, value), { maxLength: 8 });
  const pieces = fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 30 }), { maxLength: 6 });
  fc.assert(
    fc.property(
      fields,
      pieces,
      fields,
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 40 })),
      (head, body, trailers, isChunked, cuts) => {
        const lines = (pairs: readonly (readonly [string, string])[]): string[] => pairs.map(([key, text]) => `${key}: ${text}`);
        const whole = body.join('');
        const chunks = body.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
        const text = isChunked
          ? answer([...lines(head), 'Transfer-Encoding: chunked'], `${chunks}${['0', ...lines(trailers), '', ''].join('\r\n')}`)
          : answer([...lines(head), `Content-Length: ${whole.length}`], whole);
        const reading = read(text, { cuts });
        expect(reading).toMatchObject({ end: 'complete', body: whole, mayKeep: true, trailers: isChunked ? trailers.flat() : [] });
        expect(reading.heads[0]?.fields.slice(0, -2)).toEqual(head.flat());
      },
    ),
  );
});

describe('limits', () => {
  const headOf = (bytes: number): string => {
    const bare = answer(['Content-Length: 0', 'X-Pad: ']);
    return answer(['Content-Length: 0', `X-Pad: ${'x'.repeat(bytes - bare.length)}`]);
  };
  const trailersOf = (bytes: number): string => chunked(`0\r\nX-Pad: ${'x'.repeat(bytes - 'X-Pad: \r\n\r\n'.length)}\r\n\r\n`);
  const extensionsOf = (bytes: number): string => chunked(`1;${'x'.repeat(bytes - 3)}\r\nx\r\n1;xxx\r\nx\r\n0\r\n\r\n`);

  it.each([
    ['responseHeaderBytesMax', headOf(LIMITS.responseHeaderBytesMax), headOf(LIMITS.responseHeaderBytesMax + 1)],
    ['responseHeaderBytesMax of trailers', trailersOf(LIMITS.responseHeaderBytesMax), trailersOf(LIMITS.responseHeaderBytesMax + 1)],
    [
      'responseChunkExtensionBytesMax',
      extensionsOf(LIMITS.responseChunkExtensionBytesMax),
      extensionsOf(LIMITS.responseChunkExtensionBytesMax + 1),
    ],
  ])('%s', (_name, within, beyond) => {
    for (const cuts of [[], Array.from({ length: 200 }, () => 400)]) {
      expect(read(within, { cuts }).end).toBe('complete');
      expect(read(beyond, { cuts }).end).toBe('refused');
    }
  });

  it('a head without end is not waited for', () => {
    expect(read(`HTTP/1.1 200 OK\r\nX-A: ${'x'.repeat(LIMITS.responseHeaderBytesMax)}`).end).toBe('refused');
  });
});

it('reads one answer after the other', () => {
  const statuses: number[] = [];
  const parser = new AnswerParser({ onHead: (status) => statuses.push(status) > 0, onBody: () => true });
  for (const text of [
    chunked('1;x\r\nx\r\n0\r\nX-A: b\r\n\r\n'),
    answer(['Content-Length: 1'], 'x'),
    answer([], '', 'HTTP/1.1 304 Not Modified'),
  ]) {
    parser.begin(false);
    expect(parser.execute(Buffer.from(text))).toBe(text.length);
    expect(parser.isComplete && parser.mayKeep).toBe(true);
  }
  expect(parser.trailers).toEqual([]);
  expect(statuses).toEqual([200, 200, 304]);
});
