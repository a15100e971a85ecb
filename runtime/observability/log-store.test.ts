import { appendFile, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LogQuery } from '../../admin-console/ports.ts';
import { type LogLine, type LogRow, type RequestRow } from '../../sdk/contract/admin/logs.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { LogReader } from './log-store-reader.ts';
import { LOG_LIMITS_DEFAULT, type LogLimits } from './log-retention.ts';
import { InstanceLogStore, RequestLogStore } from './log-sinks.ts';
import { LogWriter } from './log-store-writer.ts';

const ALL: LogQuery = { lines: 100, follow: false, marks: false, source: 'all' };

const appRow = (atMs: number, text: string, changes: Partial<Extract<LogRow, { kind: 'app' }>> = {}): LogRow => ({
  kind: 'app',
  atMs,
  service: 'default',
  version: 'v1',
  instanceId: 'i1',
  stream: 'stdout',
  text,
  ...changes,
});
const requestRow = (atMs: number, target: string): RequestRow => ({
  kind: 'request',
  atMs,
  service: 'default',
  version: 'v1',
  requestId: `r${atMs}`,
  method: 'GET',
  target,
  status: 200,
  latencyMs: 1.5,
  responseBytes: 10,
  isLoadingRequest: false,
});
const labelOf = (row: LogLine): string => (row.kind === 'app' ? row.text : row.kind === 'request' ? row.target : row.kind);
/** Of 2 MiB each. */
const ROUNDS = 48;
const LIMITS_SMALL: LogLimits = { ...LOG_LIMITS_DEFAULT, bytesMax: 4 * LIMITS.logFileBytesMax };

describe('the log store', () => {
  let directory: string;
  let apps: LogWriter;
  let requests: LogWriter;
  let reader: LogReader;
  const log = new MemoryLog();

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'logs-'));
    apps = new LogWriter(directory, 'app', systemClock, systemTimers, log, LIMITS_SMALL);
    requests = new LogWriter(directory, 'request', systemClock, systemTimers, log, LIMITS_SMALL);
    reader = new LogReader(directory, systemClock, systemTimers);
  });

  afterEach(async () => {
    await Promise.all([apps.close(), requests.close()]);
    await rm(directory, { recursive: true, force: true });
  });

  const read = async (query: Partial<LogQuery> = {}): Promise<string[]> => {
    const rows: string[] = [];
    for await (const row of reader.read('guestbook', { ...ALL, ...query }, { signal: AbortSignal.timeout(5_000) })) rows.push(labelOf(row));
    return rows;
  };

  it('merges what apps print and what they are asked, by time', async () => {
    apps.write('guestbook', appRow(1, 'start'));
    apps.write('guestbook', appRow(3, 'hällo\n"world"'));
    requests.write('guestbook', requestRow(2, '/a'));
    requests.write('guestbook', requestRow(4, '/b'));
    apps.write('other', appRow(2, 'not ours'));
    await Promise.all([apps.flush(), requests.flush()]);
    expect(await read()).toEqual(['start', '/a', 'hällo\n"world"', '/b']);
    expect(await read({ lines: 1 })).toEqual(['/b']);
    expect(await read({ lines: 3 })).toEqual(['/a', 'hällo\n"world"', '/b']);
    expect(await read({ source: 'request' })).toEqual(['/a', '/b']);
    expect(await read({ source: 'app', lines: 1 })).toEqual(['hällo\n"world"']);
    expect(await read({ text: 'HÄLLO' })).toEqual(['hällo\n"world"']);
    expect(await read({ text: 'get /B' })).toEqual(['/b']);
    expect(await read({ text: 'nowhere' })).toEqual([]);
    // The filter comes before the count: one row is wanted, and it is the oldest.
    expect(await read({ text: 'start', lines: 1 })).toEqual(['start']);
    expect(await read({ lines: 0 })).toEqual([]);
  });

  it('filters by service and version before it counts', async () => {
    apps.write('guestbook', appRow(1, 'wanted', { service: 'api', version: 'v2' }));
    for (let atMs = 2; atMs < 50; atMs++) apps.write('guestbook', appRow(atMs, 'noise'));
    await apps.flush();
    expect(await read({ lines: 1, service: 'api' })).toEqual(['wanted']);
    expect(await read({ lines: 1, version: 'v2' })).toEqual(['wanted']);
    expect(await read({ version: 'v3' })).toEqual([]);
  });

  it('is empty for an app without a log, and refuses what is no app id', async () => {
    expect(await read()).toEqual([]);
    expect(() => reader.read('../x', ALL, { signal: AbortSignal.timeout(1_000) })).toThrow(
      expect.objectContaining({ code: 'APP_ID_INVALID' }),
    );
  });

  it('reads backwards over long lines and many chunks', async () => {
    for (let atMs = 0; atMs < 300; atMs++) apps.write('guestbook', appRow(atMs, `${atMs} ${'ä'.repeat(atMs * 17)}`));
    await apps.flush();
    const rows = await read({ lines: 250 });
    expect(rows.map((row) => row.split(' ')[0])).toEqual(Array.from({ length: 250 }, (_, index) => String(index + 50)));
    expect(rows.at(-1)).toBe(`299 ${'ä'.repeat(299 * 17)}`);
  });

  it('skips lines that a crash cut off', async () => {
    apps.write('guestbook', appRow(1, 'a'));
    await apps.flush();
    await appendFile(join(directory, 'guestbook', 'app.jsonl'), '{"kind":"app","atMs":\nnot json\n[]\n{"kind":"app","atMs":9');
    apps.write('guestbook', appRow(2, 'glued to the cut line'));
    apps.write('guestbook', appRow(3, 'b'));
    await apps.flush();
    expect(await read()).toEqual(['a', 'b']);
  });

  it('rotates at the limit and keeps the newest files', async () => {
    const half = 'x'.repeat(LIMITS.logFileBytesMax / 8);
    for (let round = 0; round < ROUNDS; round++) {
      apps.write('guestbook', appRow(round, `${round} ${half}`));
      await apps.flush();
    }
    const files = await readdir(join(directory, 'guestbook'));
    expect(files.length).toBeGreaterThan(2);
    const sizes = await Promise.all(files.map(async (file) => (await stat(join(directory, 'guestbook', file))).size));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(LIMITS_SMALL.bytesMax);
    for (const file of files) expect((await stat(join(directory, 'guestbook', file))).size).toBeLessThan(LIMITS.logFileBytesMax * 1.2);
    const rows = await read({ lines: 12 });
    const newest = ROUNDS;
    expect(rows.map((row) => Number(row.split(' ')[0]))).toEqual(Array.from({ length: 12 }, (_, index) => newest - 12 + index));
  });

  it('follows both kinds, across a rotation and from before the first row', async () => {
    const abort = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const row of reader.read('guestbook', { ...ALL, follow: true }, { signal: abort.signal }))
        seen.push(labelOf(row).slice(0, 10));
    })();
    apps.write('guestbook', appRow(1, 'first'));
    await expect.poll(() => seen).toEqual(['first']);
    requests.write('guestbook', requestRow(2, '/a'));
    await expect.poll(() => seen).toEqual(['first', '/a']);
    const chunk = 'x'.repeat(LIMITS.logFileBytesMax / 40);
    for (let atMs = 100; atMs < 200; atMs++) {
      apps.write('guestbook', appRow(atMs, `${atMs} ${chunk}`));
      await apps.flush();
    }
    apps.write('guestbook', appRow(300, 'last'));
    await expect.poll(() => seen.at(-1), { timeout: 10_000 }).toBe('last');
    const numbers = Array.from({ length: 100 }, (_, index) => String(100 + index));
    expect(seen.map((text) => text.split(' ')[0])).toEqual(['first', '/a', ...numbers, 'last']);
    abort.abort();
    await following;
  });

  it('does not show a row twice when the tail begins within a line', async () => {
    await mkdir(join(directory, 'guestbook'), { recursive: true });
    const line = `${JSON.stringify(appRow(1, 'whole'))}\n`;
    await writeFile(join(directory, 'guestbook', 'app.jsonl'), line + line.slice(0, 20));
    const abort = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const row of reader.read('guestbook', { ...ALL, follow: true }, { signal: abort.signal })) seen.push(labelOf(row));
    })();
    await expect.poll(() => seen).toEqual(['whole']);
    await appendFile(join(directory, 'guestbook', 'app.jsonl'), line.slice(20));
    await expect.poll(() => seen).toEqual(['whole', 'whole']);
    abort.abort();
    await following;
  });

  it('is read page by page, newest first, without a gap or a repeat, while it is rotated and goes on', async () => {
    const chunk = 'x'.repeat(LIMITS.logFileBytesMax / 40);
    for (let atMs = 0; atMs < 60; atMs++) {
      apps.write('guestbook', appRow(atMs, `${atMs} ${chunk}`));
      if (atMs % 7 === 0) requests.write('guestbook', { ...requestRow(atMs, `/${atMs}`), latencyMs: 0 });
      await apps.flush();
    }
    await requests.flush();
    const seen: string[] = [];
    let before: string | undefined;
    do {
      const page: string[] = [];
      let next: string | undefined;
      const query = { ...ALL, lines: 9, marks: true, ...(before === undefined ? {} : { before }) };
      for await (const line of reader.read('guestbook', query, { signal: AbortSignal.timeout(5_000) })) {
        if (line.kind === 'more') next = line.cursor;
        else page.push(labelOf(line).split(' ')[0] ?? '');
      }
      seen.unshift(...page);
      before = next;
      // What comes later moves every file by one and is not part of what was asked for.
      for (let atMs = 900; atMs < 960; atMs++) apps.write('guestbook', appRow(atMs, `later ${chunk}`));
      await apps.flush();
    } while (before !== undefined && seen.length < 200);
    const expected = Array.from({ length: 60 }, (_, atMs) => (atMs % 7 === 0 ? [`/${atMs}`, String(atMs)] : [String(atMs)])).flat();
    // Some of the oldest may have been removed in between, for all that came.
    expect(seen.length).toBeGreaterThan(40);
    expect(seen).toEqual(expected.slice(-seen.length));
  });

  it('goes on after a place that it told, with no row lost or told twice', async () => {
    const tail = async (
      after: string | undefined,
      until: number,
    ): Promise<{ readonly labels: string[]; readonly place: string | undefined }> => {
      const abort = new AbortController();
      const labels: string[] = [];
      let place = after;
      const query = { ...ALL, marks: true, follow: true, ...(after === undefined ? {} : { after }) };
      for await (const line of reader.read('guestbook', query, { signal: abort.signal })) {
        if (line.kind === 'place') place = line.cursor;
        else labels.push(labelOf(line));
        if (line.kind === 'place' && labels.length >= until) abort.abort();
      }
      return { labels, place };
    };
    apps.write('guestbook', appRow(1, 'a'));
    await apps.flush();
    const first = await tail(undefined, 1);
    expect(first.labels).toEqual(['a']);
    apps.write('guestbook', appRow(2, 'b'));
    requests.write('guestbook', requestRow(3, '/c'));
    await Promise.all([apps.flush(), requests.flush()]);
    const second = await tail(first.place, 2);
    expect(second.labels).toEqual(['b', '/c']);
    apps.write('guestbook', appRow(4, 'd'));
    expect((await tail(second.place, 1)).labels).toEqual(['d']);
  });

  it.each(['', 'x', 'e30x', Buffer.from('{"app":[1]}').toString('base64url'), Buffer.from('{"other":[1,2]}').toString('base64url')])(
    'refuses "%s" as a cursor',
    (cursor) => {
      const read = (query: Partial<LogQuery>) => () =>
        reader.read('guestbook', { ...ALL, ...query }, { signal: new AbortController().signal });
      for (const query of [{ before: cursor }, { after: cursor }])
        expect(read(query)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    },
  );

  it('ties what was printed to its request, by the id that a line has and by the trace', async () => {
    const traceId = 'fedcba9876543210fedcba9876543210';
    const row = { ...requestRow(1_000, '/a'), traceId, instanceId: 'i1' };
    requests.write('guestbook', row);
    requests.write('guestbook', requestRow(1_001, '/other'));
    apps.write('guestbook', appRow(1_000, 'by id', { requestId: row.requestId }));
    apps.write('guestbook', appRow(1_001, 'by trace', { traceId }));
    apps.write('guestbook', appRow(1_001, 'elsewhere', { traceId, instanceId: 'i2' }));
    apps.write('guestbook', appRow(1_002, 'none'));
    await Promise.all([apps.flush(), requests.flush()]);
    expect(await read({ request: row.requestId })).toEqual(['/a', 'by id', 'by trace']);
    expect(await read({ request: 'unknown' })).toEqual([]);
  });

  it('looks at no more than the time that was asked for', async () => {
    for (let atMs = 0; atMs < 100; atMs++) apps.write('guestbook', appRow(atMs * 1_000, `${atMs}`));
    await apps.flush();
    expect(await read({ sinceMs: 40_000, untilMs: 43_000 })).toEqual(['40', '41', '42']);
  });

  it('does not stop at a line that says an earlier time than those before it', async () => {
    apps.write('guestbook', appRow(40_000, 'wanted'));
    apps.write('guestbook', appRow(40_001, 'x'.repeat(100_000)));
    apps.write('guestbook', appRow(40_000 - LIMITS.logTimeSlackMs + 1, 'said late'));
    await apps.flush();
    expect((await read({ sinceMs: 40_000 }))[0]).toBe('wanted');
  });

  it('removes what is past its time, also of an app that has long been silent', async () => {
    apps.write('guestbook', appRow(1, 'old'));
    apps.write('other', appRow(1, 'new'));
    await apps.flush();
    const pastMs = systemClock.nowMs() - LIMITS_SMALL.retentionMs - 60_000;
    await utimes(join(directory, 'guestbook', 'app.jsonl'), pastMs / 1_000, pastMs / 1_000);
    await apps.sweep();
    expect(await readdir(join(directory, 'guestbook'))).toEqual([]);
    expect(await readdir(join(directory, 'other'))).toEqual(['app.jsonl']);
    apps.write('guestbook', appRow(2, 'again'));
    await apps.flush();
    expect(await read()).toEqual(['again']);
  });

  it('counts what the disk does not take, says so in the log once it does again, and once in the platform log', async () => {
    const path = join(directory, 'guestbook');
    await writeFile(path, 'in the way of the directory');
    for (let round = 0; round < 3; round++) {
      apps.write('guestbook', appRow(round, `lost ${round}`));
      await apps.flush();
    }
    expect(apps.counts).toEqual({ written: 0, dropped: 3 });
    expect(log.lines.filter(({ fields }) => fields['appId'] === 'guestbook')).toHaveLength(1);
    await rm(path);
    apps.write('guestbook', appRow(9, 'well'));
    await apps.flush();
    expect(await read({ lines: 2 })).toEqual(['well', '3 log rows were lost: the disk did not take them']);
    expect(apps.counts).toEqual({ written: 1, dropped: 3 });
  });

  it('drops what the disk cannot take and says how much', async () => {
    const big = 'x'.repeat(LIMITS.logBufferBytesMax / 4);
    for (let atMs = 0; atMs < 10; atMs++) apps.write('guestbook', appRow(atMs, big));
    await apps.flush();
    const rows = await read();
    expect(rows).toHaveLength(4);
    expect(rows.at(-1)).toBe('7 log rows were dropped: they came faster than the disk takes them');
  });

  it('takes the rows of the host and of the router', async () => {
    const source = { appId: 'guestbook', service: 'default', version: 'v1', instanceId: 'i1' };
    new InstanceLogStore(apps).write({ ...source, atMs: 1, stream: 'stderr', text: 'oops' });
    const request = {
      pendingMs: 0,
      isLoadingRequest: true,
      requestBytes: 0,
      responseBytes: 1,
      clientAddress: '::1',
      retries: 0,
      host: 'h',
    };
    const sink = new RequestLogStore(requests);
    sink.write({
      ...source,
      ...request,
      requestId: 'r',
      startedAtMs: 2,
      method: 'GET',
      target: '/x',
      status: 500,
      latencyMs: 3,
      errorCode: 'ROUTE_DEADLINE',
    });
    sink.write({
      ...source,
      ...request,
      appId: '',
      requestId: 'r',
      startedAtMs: 2,
      method: 'GET',
      target: '/y',
      status: 404,
      latencyMs: 3,
    });
    await Promise.all([apps.flush(), requests.flush()]);
    expect(await read()).toEqual(['oops', '/x']);
  });
});
