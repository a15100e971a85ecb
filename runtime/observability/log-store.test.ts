import { appendFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LogQuery } from '../../admin-console/ports.ts';
import { type LogRow } from '../../sdk/contract/admin/admin.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { LogReader } from './log-store-reader.ts';
import { InstanceLogStore, LogWriter, RequestLogStore } from './log-store-writer.ts';

const ALL: LogQuery = { lines: 100, follow: false, source: 'all' };

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
const requestRow = (atMs: number, target: string): LogRow => ({
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
const labelOf = (row: LogRow): string => (row.kind === 'app' ? row.text : row.target);

describe('the log store', () => {
  let directory: string;
  let apps: LogWriter;
  let requests: LogWriter;
  let reader: LogReader;
  const log = new MemoryLog();

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'logs-'));
    apps = new LogWriter(directory, 'app', systemClock, systemTimers, log);
    requests = new LogWriter(directory, 'request', systemClock, systemTimers, log);
    reader = new LogReader(directory, systemTimers);
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
    expect(await read({ lines: 2 })).toEqual(['hällo\n"world"', '/b']);
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
    await expect(
      reader
        .read('../x', ALL, { signal: AbortSignal.timeout(1_000) })
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toMatchObject({
      code: 'APP_ID_INVALID',
    });
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
    for (let round = 0; round < 8 * (LIMITS.logFilesMax + 3); round++) {
      apps.write('guestbook', appRow(round, `${round} ${half}`));
      await apps.flush();
    }
    const files = await readdir(join(directory, 'guestbook'));
    expect(files.length).toBeLessThanOrEqual(LIMITS.logFilesMax + 1);
    for (const file of files) expect((await stat(join(directory, 'guestbook', file))).size).toBeLessThan(LIMITS.logFileBytesMax * 1.2);
    const rows = await read({ lines: 12 });
    const newest = 8 * (LIMITS.logFilesMax + 3);
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
