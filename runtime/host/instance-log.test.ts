import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { InstanceLog, MemoryInstanceLogSink } from './instance-log.ts';

const ID = '0123456789abcdef0123456789abcdef';
const MARK = `\u001e${ID}\u001f`;

/** A log with one stream, and what it has become so far. */
function open(stream: 'stdout' | 'stderr') {
  const sink = new MemoryInstanceLogSink(100_000);
  const time = new VirtualTime();
  const log = new InstanceLog(sink, time, time, { appId: 'a', service: 's', version: 'v', instanceId: 'i' });
  const source = new PassThrough();
  log.attach(source, stream);
  /** As one piece. */
  const print = async (piece: string | Buffer): Promise<void> => {
    source.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { log, time, source, print, rows: sink.rows, texts: () => sink.rows.map(({ text }) => text) };
}

/** Rows of what is printed, each piece as one chunk. */
async function rowsOf(
  pieces: readonly (string | Buffer)[],
  stream: 'stdout' | 'stderr' = 'stderr',
): Promise<MemoryInstanceLogSink['rows']> {
  const { log, source, print, rows } = open(stream);
  for (const piece of pieces) await print(piece);
  source.end();
  await log.drain();
  log.reportDropped();
  return rows;
}
const textsOf = async (...pieces: (string | Buffer)[]): Promise<string[]> => (await rowsOf(pieces)).map(({ text }) => text);

describe('the log of an instance', () => {
  it('is cut into lines, wherever the pieces end', async () => {
    expect(await textsOf('a\nb', 'c\r\n', '\nlast')).toEqual(['a', 'bc', '', 'last']);
  });

  it('puts the lines of a stack trace together that come in one piece', async () => {
    const node = 'Error: no\n    at f (server.js:1:2)\n    at g (server.js:3:4)';
    const java = 'java.lang.Error: no\n\tat A.f(A.java:1)\nCaused by: java.io.IOException\n\tat B.g(B.java:2)\n\t... 3 more';
    const python = 'failed\nTraceback (most recent call last):\n  File "a.py", line 1, in f\n    raise ValueError("x")\nValueError: x';
    expect(await textsOf(`before\n${node}\nafter\n`)).toEqual(['before', node, 'after']);
    expect(await textsOf(`${java}\nafter\n`)).toEqual([java, 'after']);
    expect(await textsOf(`${python}\nafter\n`)).toEqual([python, 'after']);
    expect(await textsOf('Error: no\n', '    at f (server.js:1:2)\n')).toEqual(['Error: no', '    at f (server.js:1:2)']);
  });

  it('puts no more together than a row may hold', async () => {
    const rows = await textsOf(`Error: no\n${`    at f\n`.repeat(LIMITS.instanceLogJoinedLinesMax * 2)}`);
    expect(rows.map((text) => text.split('\n').length)).toEqual([200, 200, 1]);
    const long = `  ${'x'.repeat(LIMITS.instanceLogLineBytesMax / 4)}\n`;
    for (const text of await textsOf(`a\n${long.repeat(20)}`)) expect(text.length).toBeLessThanOrEqual(LIMITS.instanceLogLineBytesMax);
  });

  it('reads the mark of a request at the start of a line, and nothing else as one', async () => {
    const other = ID.replace('0', 'f');
    const rows = await rowsOf([
      `${MARK}a\n${MARK}Error\n${MARK}    at f\n\u001e${other}\u001f    at g\nplain\n\u001eshort\u001fx\nx${MARK}\n`,
    ]);
    expect(rows.map(({ text, requestId }) => [text, requestId])).toEqual([
      ['a', ID],
      ['Error\n    at f', ID],
      ['    at g', other],
      ['plain', undefined],
      ['\u001eshort\u001fx', undefined],
      [`x${MARK}`, undefined],
    ]);
  });

  it('keeps marks out of what explains a failed start', async () => {
    const { log, source } = open('stderr');
    source.end(`${MARK}one\n${MARK}two\n`);
    await log.drain();
    expect(log.stderrTail).toBe('one\ntwo\n');
  });

  it('survives bytes that are no text, and cuts a line that has no end', async () => {
    const [first, second] = await textsOf(Buffer.from([0xff, 0xfe, 0xc3, 0x0a]), Buffer.alloc(1024 * 1024, 'x'));
    expect(first).toBe('\ufffd\ufffd\ufffd');
    expect(second).toHaveLength(LIMITS.instanceLogLineBytesMax);
  });

  it('drops and counts lines over the rate, and bytes over theirs', async () => {
    const lines = await rowsOf(['x\n'.repeat(LIMITS.instanceLogLinesPerSecondMax * 5)], 'stdout');
    expect(lines.length).toBe(LIMITS.instanceLogLinesPerSecondMax * 4 + 1);
    expect(lines.at(-1)).toMatchObject({ stream: 'system', text: expect.stringMatching(/^500 log lines were dropped/) });
    const long = await rowsOf([`${'x'.repeat(LIMITS.instanceLogLineBytesMax)}\n`.repeat(300)], 'stdout');
    expect(long.length).toBe((LIMITS.instanceLogBytesPerSecondMax * 4) / LIMITS.instanceLogLineBytesMax + 1);
    expect(long.at(-1)?.text).toMatch(/^44 log lines were dropped/);
  });

  it('counts every dropped line once, wherever the pieces end, and keeps those that have room again in order', async () => {
    const { log, time, source, print, texts } = open('stdout');
    await print(`${'x\n'.repeat(LIMITS.instanceLogLinesPerSecondMax * 4)}its beginning is `);
    const before = texts().length;
    await print('dropped\nError: dropped\n    at f\n\nits beginning comes ea');
    const room = (LIMITS.instanceLogLinesPerSecondMax * LIMITS.instanceLogPauseMs) / 1_000;
    const kept = ['rlier', ...Array.from({ length: room - 1 }, (_, place) => `kept ${place}`)];
    await print(`${kept.join('\n')}\ndropped\nits beginning is drop`);
    time.advance(LIMITS.instanceLogPauseMs);
    await print('ped\ndropped');
    source.end();
    await log.drain();
    log.reportDropped();
    const rows = texts().slice(before);
    expect(rows.slice(0, -1)).toEqual(['its beginning comes earlier', ...kept.slice(1)]);
    expect(rows.at(-1)).toMatch(/^7 log lines were dropped/);
  });

  it('does not read on for a while once lines are dropped', async () => {
    const { time, print, texts } = open('stdout');
    await print('x\n'.repeat(LIMITS.instanceLogLinesPerSecondMax * 4));
    await print('dropped\n');
    await print('kept\n');
    time.advance(LIMITS.instanceLogPauseMs - 1);
    expect(texts()).not.toContain('kept');
    time.advance(1);
    expect(texts().at(-1)).toBe('kept');
    await print('read at once\n');
    expect(texts().at(-1)).toBe('read at once');
  });

  it('does not read on for a while after it cut a line, though it were one without end', async () => {
    const { time, print, texts } = open('stdout');
    const whole = 'x'.repeat(LIMITS.instanceLogLineBytesMax);
    await print(whole);
    await print('x');
    await print('\n');
    time.advance(LIMITS.instanceLogPauseMs - 1);
    expect(texts().length).toBe(0);
    time.advance(1);
    expect(texts()).toEqual([whole]);
  });

  it('takes lines in larger pieces when they come in very many, and drops none', async () => {
    const { log, time, print, texts } = open('stdout');
    const printed = LIMITS.instanceLogLinesPerSecondMax * 4 + 10;
    for (let byte = 0; byte < printed; byte++) await print('x');
    await print('\nlast\n');
    expect(texts()).toEqual([]);
    time.advance(LIMITS.instanceLogPauseMs);
    log.reportDropped();
    expect(texts()).toEqual(['x'.repeat(printed), 'last']);
  });
});
