// `appengine logs` and `appengine status` against a console whose ports a test scripts.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type LogQuery } from '../../admin-console/ports.ts';
import { type AppLogRow, type LogLine, type RequestRow } from '../../sdk/contract/admin/logs.ts';
import { type RoleView } from '../../sdk/contract/admin/health.ts';
import { systemClock } from '../../sdk/support/clock.ts';
import { type CommandResult, type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

const row = (text: string): AppLogRow => ({
  ...{ kind: 'app', atMs: 1_000, service: 'default', version: 'v1', instanceId: 'ab12', stream: 'stdout', text },
});
const REQUEST: RequestRow = {
  ...{ kind: 'request', atMs: 2_000, service: 'default', version: 'v1', requestId: 'r', method: 'GET', target: '/x', status: 503 },
  ...{ latencyMs: 12.4, cpuMs: 3.2, responseBytes: 7, isLoadingRequest: true, errorCode: 'ROUTE_QUEUE_FULL', userAgent: 'a"b' },
};

const queries: LogQuery[] = [];
let readLog: () => readonly LogLine[];
let roles: RoleView[];
let signal: AbortSignal | undefined;
let token: string | undefined;
let commands: ConsoleCommands;

beforeAll(async () => {
  const logs = {
    read: async function* (_app: string, query: LogQuery) {
      queries.push(query);
      yield* await Promise.resolve(readLog());
    },
  };
  const observation = { metrics: () => Promise.resolve(''), roles: () => Promise.resolve(roles) };
  commands = await startConsoleCommands(
    { logs, observation },
    { signal: () => signal ?? new AbortController().signal, token: () => token ?? 'owner-token-of-the-test' },
  );
});
afterAll(() => commands.close());
beforeEach(() => {
  queries.length = 0;
  readLog = () => [];
  signal = undefined;
  token = undefined;
});

const logs = (words: string): Promise<CommandResult> => commands.run('logs', ...words.split(' '), '--app', 'shop');
const lastCharacters = (out: string): string[] =>
  out
    .trim()
    .split('\n')
    .map((line) => line.slice(-1));

describe('logs read', () => {
  test('sends every filter to the server', async () => {
    const { code } = await logs(
      'read --severity warning --regex ^a --since 1970-01-02 --until 1970-01-03T00:00:00Z --status 5xx,404 --path /a* --method GET --latency 20 --instance i --request r --service s --version v --source request --limit 7',
    );
    expect(code).toBe(0);
    expect(queries).toEqual([
      {
        ...{
          lines: 7,
          follow: false,
          marks: true,
          source: 'request',
          severity: 'WARNING',
          regex: '^a',
          sinceMs: 86_400_000,
          untilMs: 172_800_000,
        },
        ...{ status: '5xx,404', path: '/a*', method: 'GET', latencyMsMin: 20, instance: 'i', request: 'r', service: 's', version: 'v' },
      },
    ]);
    await logs('read --since 2h');
    expect(Math.abs((queries.at(-1)?.sinceMs ?? 0) - (systemClock.nowMs() - 7_200_000))).toBeLessThan(60_000);
  });

  test.each(['--since soon', '--until -', '--severity loud', '--limit x', '--order up', '--format xml', '--source db', '--latency -1'])(
    '%s is refused before anything is asked',
    async (flags) => {
      expect(await logs(`read ${flags}`)).toMatchObject({ code: 1, err: expect.stringContaining('USAGE') });
      expect(queries).toEqual([]);
    },
  );

  test('goes from page to page until it has enough, in either order', async () => {
    const pages = (): (readonly LogLine[])[] => [
      [row('c'), row('d'), { kind: 'more', cursor: 'older' }],
      [{ kind: 'more', cursor: 'oldest' }],
      [row('a'), row('b')],
    ];
    let left = pages();
    readLog = () => left.shift() ?? [];
    expect(lastCharacters((await logs('read --limit 5')).out)).toEqual(['a', 'b', 'c', 'd']);
    expect(queries.map(({ before, lines }) => [before, lines])).toEqual([
      [undefined, 5],
      ['older', 3],
      ['oldest', 3],
    ]);
    left = pages();
    expect(lastCharacters((await logs('read --limit 4 --order desc')).out)).toEqual(['d', 'c', 'b', 'a']);
    left = pages();
    const some = await logs('read --limit 2');
    expect(lastCharacters(some.out)).toEqual(['c', 'd']);
    expect(some.err).toContain('There may be more than 2 rows');
  });

  test('prints rows for people, for machines, and as web servers log', async () => {
    readLog = () => [{ ...row('first\nsecond \u001b[2J'), fields: { user: 'ada' } }, REQUEST];
    expect((await logs('read')).out).toBe(
      '1970-01-01T00:00:01.000Z default/v1 ab12 first {"user":"ada"}\n    second \ufffd[2J\n' +
        '1970-01-01T00:00:02.000Z default/v1 503 GET /x 12 ms cpu 3 ms 7 B loading ROUTE_QUEUE_FULL\n',
    );
    expect((await logs('read --format full')).out).toContain('loading ROUTE_QUEUE_FULL requestId=r userAgent=a"b\n');
    expect((await logs('read --format combined')).out).toContain(
      '- - - [01/Jan/1970:00:00:02 +0000] "GET /x HTTP/1.1" 503 7 "-" "a\\"b" "-" ms=12 cpu_ms=3 loading_request=1 version=default:v1 request_id=r\n',
    );
    const json = (await logs('read --json')).out.trim().split('\n');
    expect(json.map((text) => JSON.parse(text) as LogLine)).toEqual(readLog());
  });
});

describe('logs tail', () => {
  test('goes on where it was when the server was away, and prints nothing twice', async () => {
    const answers: (readonly LogLine[])[] = [
      [row('a'), { kind: 'place', cursor: 'one' }, row('not whole')],
      [{ kind: 'place', cursor: 'one' }],
      [row('b'), { kind: 'place', cursor: 'two' }],
    ];
    const interrupt = new AbortController();
    ({ signal } = interrupt);
    readLog = () => {
      const next = answers.shift();
      if (!next) interrupt.abort();
      return next ?? [];
    };
    const { out, err } = await logs('tail --json');
    const texts = out.trim().split('\n');
    expect(texts.map((line) => (JSON.parse(line) as AppLogRow).text)).toEqual(['a', 'b']);
    expect(queries.map(({ after }) => after)).toEqual([undefined, 'one', 'one', 'two']);
    expect(err).toContain('The server went away');
  });
});

describe('status', () => {
  beforeEach(() => {
    const startedAtMs = systemClock.nowMs() - (25 * 3_600 + 30) * 1_000;
    roles = [
      { role: 'host', status: 'ready', reasons: [], pid: 4_711, startedAtMs, memoryBytes: 70_000_000, cpuMicros: 1_500_000 },
      { role: 'router', status: 'down', reasons: ['it does not answer'], restarts: 3, lastExit: 'killed by SIGKILL' },
    ];
  });

  test('shows the roles, what is wrong with them, and who was started again', async () => {
    const { out } = await commands.run('status');
    expect(out).toMatch(/host +ready +1 d 1 h +70\.0 MB +1\.5 s +4711\n/);
    expect(out).toMatch(/router +down +3\n/);
    expect(out).toContain(
      'Something is wrong:\n  router: it does not answer\n  router was started again 3 times; it ended last as: killed by SIGKILL\n',
    );
    expect(JSON.parse((await commands.run('status', '--json')).out)).toMatchObject({ release: '9.9.9', roles });
    roles = roles.slice(0, 1);
    expect((await commands.run('status')).out).toContain('All roles are ready.');
  });

  test('tells a stranger what anybody may know', async () => {
    token = 'wrong';
    const { code, out, err } = await commands.run('status');
    expect(code).toBe(0);
    expect(out).toContain('App Engine 9.9.9');
    expect(out).not.toContain('router');
    expect(err).toContain('owner token');
  });
});
