// The command line against the real admin server over HTTP, with scripted apps behind it: what is printed where, the exit
// code, and that both sides read the admin API the same way.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ConsoleAccess } from '../../admin-console/console-access.ts';
import { type ConsoleApis } from '../../admin-console/console-app.ts';
import { type LogQuery } from '../../admin-console/ports.ts';
import { MemorySecretFile } from '../../admin-console/secret-file.ts';
import { ConsoleServer } from '../../admin-console/server.ts';
import { MemoryCache } from '../../runtime/backends/cache-memory.ts';
import { MemoryOutbox } from '../../runtime/backends/mail-memory.ts';
import { MailViewer } from '../../runtime/services/mail/mail-viewer.ts';
import { MemcacheViewer } from '../../runtime/services/memcache-viewer.ts';
import { type EntityView, type EntityWrite, type GqlRequestView } from '../../sdk/contract/admin/data.ts';
import { type AppView, type DeployEvent, type DeployRequest, type VersionView } from '../../sdk/contract/admin/admin.ts';
import { type LogRow } from '../../sdk/contract/admin/logs.ts';
import { type AccountView } from '../../sdk/contract/admin/session.ts';
import { errorBody, PlatformError } from '../../sdk/contract/errors.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { runCommandLine } from '../../sdk/cli/main.ts';
import { Terminal } from '../../sdk/cli/terminal.ts';

const TOKEN = 'the-owner-token';
const APP: AppView = {
  id: 'shop',
  url: 'http://shop.localhost:8080/',
  createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  services: [{ service: 'default', url: 'http://shop.localhost:8080/', split: { v1: 1 }, shardBy: 'ip', versions: 1 }],
  dispatch: [],
};
const VERSION: VersionView = {
  appId: 'shop',
  service: 'default',
  version: 'v1',
  url: 'http://v1-dot-default-dot-shop.localhost:8080/',
  runtime: 'nodejs',
  createdAtMs: APP.createdAtMs,
  trafficShare: 0.125,
  shardBy: 'ip' as const,
  instances: 2,
};
const ROWS: LogRow[] = [
  { kind: 'app', atMs: 1_000, service: 'default', version: 'v1', instanceId: 'ab12', stream: 'stderr', text: 'clear \u001b[2J screen' },
  {
    kind: 'request',
    atMs: 2_000,
    service: 'default',
    version: 'v1',
    requestId: 'r',
    method: 'GET',
    target: '/x',
    status: 503,
    latencyMs: 12.4,
    responseBytes: 7,
    isLoadingRequest: true,
    errorCode: 'ROUTE_QUEUE_FULL',
  },
];

const BOOK: EntityView = {
  id: 'b1',
  name: 'Book:1',
  key: { path: [{ kind: 'Book', id: '1' }] },
  properties: {
    title: { stringValue: 'Em\u001b[2Jma' },
    year: { integerValue: '1815' },
    tags: { arrayValue: { values: [{ stringValue: 'novel' }, { nullValue: null }] } },
  },
  version: '7',
};
const queries: GqlRequestView[] = [];
const writes: EntityWrite[] = [];
const deletes: string[] = [];
let input = '';

let apps: AppView[];
let events: DeployEvent[];
let deployRequest: DeployRequest | undefined;
const uploaded: string[] = [];
const opened: string[] = [];
let logQuery: LogQuery | undefined;
const accounts = new Map<string, AccountView>();
const passwords: string[] = [];
const questions: string[] = [];
let answers: string[] = [];

const apis: ConsoleApis = {
  apps: {
    status: () => ({ release: '9.9.9', appUrlTemplate: 'http://{id}.localhost:8080/', sandbox: 'process', warnings: ['No sandbox here'] }),
    apps: () => Promise.resolve(apps),
    app: () => Promise.resolve(APP),
    versions: (id) => (id === 'shop' ? Promise.resolve([VERSION]) : Promise.reject(new PlatformError('APP_NOT_FOUND', id))),
    instances: () =>
      Promise.resolve([
        {
          id: 'ab12',
          service: 'default',
          version: 'v1',
          state: 'ready',
          startedAtMs: Date.now() - 5_000,
          readyMs: 81.4,
          cpuMicros: 1_250_000,
          memoryBytes: 31_000_000,
        },
      ]),
    stopInstance: (_app, id) => (id === 'ab12' ? Promise.resolve() : Promise.reject(new PlatformError('INSTANCE_NOT_FOUND', id))),
    deleteVersion: () => Promise.resolve(),
    setTraffic: (_app, _service, request) => Promise.resolve([{ ...VERSION, trafficShare: request.split['v1'] ?? 0 }]),
  },
  deploys: {
    begin: (_app, request) => {
      deployRequest = request;
      return Promise.resolve({
        deploymentId: 'd1',
        missing: request.files.filter((file) => file.path !== 'known.txt').map((file) => file.sha256),
      });
    },
    putBlob: async (_app, _deployment, _hash, content) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      uploaded.push(Buffer.concat(chunks).toString());
    },
    finish: (_app, _deployment, { onEvent }) => {
      events.forEach(onEvent);
      return Promise.resolve();
    },
  },
  accounts: {
    list: () => Promise.resolve([...accounts.values()]),
    add: ({ email, password, adminOf = [] }) => {
      passwords.push(password);
      const account = { email, createdAtMs: APP.createdAtMs, adminOf };
      accounts.set(email, account);
      return Promise.resolve(account);
    },
    change: (email, change) => {
      const account = accounts.get(email);
      if (!account) return Promise.reject(new PlatformError('ACCOUNT_NOT_FOUND', email));
      if (change.password !== undefined) passwords.push(change.password);
      const changed = { ...account, adminOf: change.adminOf ?? account.adminOf };
      accounts.set(email, changed);
      return Promise.resolve(changed);
    },
    delete: (email) => (accounts.delete(email) ? Promise.resolve() : Promise.reject(new PlatformError('ACCOUNT_NOT_FOUND', email))),
  },
  logs: {
    read: async function* (_app, query) {
      logQuery = query;
      yield* await Promise.resolve(ROWS);
    },
  },
  mail: new MailViewer(new MemoryOutbox()),
  memcache: new MemcacheViewer(new MemoryCache(systemClock), systemClock),
  datastore: {
    namespaces: () => Promise.resolve(['', 'tenant']),
    kinds: (_app, namespace) => Promise.resolve(namespace === '' ? [{ kind: 'Book' }, { kind: 'Shelf' }] : []),
    query: (_app, request) => {
      queries.push(request);
      if (request.gql.startsWith('SELEC ')) {
        const message = `line 1, column 1: expected SELECT\n  ${request.gql}\n  ^`;
        return Promise.reject(new PlatformError('GQL_SYNTAX', message, { details: { line: 1, column: 1 } }));
      }
      const plan = request.explain ? { plan: { scans: ['property Book.year, forward'], indexRowsRead: 3, entitiesRead: 2 } } : {};
      if (request.gql.includes('COUNT'))
        return Promise.resolve({ kind: 'aggregation', entities: [], values: { n: { integerValue: '5' } }, ...plan });
      const first = request.cursor === undefined;
      const entity = first ? BOOK : { ...BOOK, id: 'b2', name: 'Book:2', properties: { title: { nullValue: null } } };
      const all = { kind: 'entities' as const, entities: [entity], ...plan };
      return Promise.resolve(first ? { ...all, cursor: 'next' } : all);
    },
    entity: (_app, id) => (id === BOOK.id ? Promise.resolve(BOOK) : Promise.reject(new PlatformError('NOT_FOUND', id))),
    write: (_app, write) => {
      writes.push(write);
      return Promise.resolve(BOOK);
    },
    delete: (_app, id) => {
      deletes.push(id);
      return Promise.resolve();
    },
  },
};

let server: ConsoleServer;
let directory: string;

beforeAll(async () => {
  const files = { codes: new MemorySecretFile(), sessions: new MemorySecretFile() };
  const access = new ConsoleAccess(files, systemClock, systemRandom);
  server = new ConsoleServer(apis, systemTimers, new MemoryLog(), { ownerToken: TOKEN, access });
  await server.start({ host: '127.0.0.1', port: 0 });
  directory = await mkdtemp(join(tmpdir(), 'cli-'));
  await writeFile(join(directory, 'app.yaml'), 'runtime: nodejs\n');
  await writeFile(join(directory, 'known.txt'), 'known');
  await writeFile(join(directory, 'server.js'), 'new');
});

afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

beforeEach(() => {
  apps = [APP];
  uploaded.length = 0;
  events = [
    { kind: 'step', step: 'validate', state: 'running', message: 'Reading app.yaml' },
    { kind: 'step', step: 'validate', state: 'done', message: 'runtime nodejs' },
    { kind: 'output', step: 'build', line: 'added 68 packages' },
    { kind: 'done', appId: 'shop', service: 'default', version: 'v2', url: APP.url, versionUrl: VERSION.url, promoted: true },
  ];
});

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function appengine(
  words: string | readonly string[],
  options: { readonly terminal?: boolean; readonly environment?: Record<string, string> } = {},
): Promise<Said> {
  let out = '';
  let err = '';
  const isTerminal = options.terminal ?? false;
  const environment = { APPENGINE_TOKEN: TOKEN, APPENGINE_SERVER: `http://127.0.0.1:${server.port}`, ...options.environment };
  const terminal = new Terminal({
    stdout: { write: (text) => (out += text), isTerminal, columns: 80 },
    stderr: { write: (text) => (err += text), isTerminal, columns: 80 },
    environment,
  });
  const world = {
    terminal,
    passwords: {
      ask: (question: string) => {
        questions.push(question);
        return Promise.resolve(answers.shift() ?? '');
      },
      fromInput: () => Promise.resolve('from a pipe'),
    },
    environment,
    workingDirectory: directory,
    clock: systemClock,
    timers: systemTimers,
    signal: new AbortController().signal,
    readInput: () => Promise.resolve(input),
    openBrowser: (url: string) => {
      opened.push(url);
      return Promise.resolve(options.terminal === true);
    },
  };
  const code = await runCommandLine(typeof words === 'string' ? words.split(' ').filter((word) => word !== '') : words, world, '9.9.9');
  return { code, out, err };
}

const ACCOUNT_COMMANDS = ['accounts list', 'accounts add', 'accounts set', 'accounts delete'];

describe('help', () => {
  test.each([
    '',
    'deploy',
    'apps list',
    'versions list',
    'versions delete',
    'traffic set',
    'instances list',
    'instances stop',
    'logs tail',
    'console',
    'memcache set',
    'mail show',
    'status',
    ...ACCOUNT_COMMANDS,
  ])('appengine %s --help explains and succeeds', async (words) => {
    const { code, out, err } = await appengine(`${words} --help`);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('Usage: appengine');
    if (words !== '') expect(out).toMatch(/Examples:\n {2}\$ appengine /);
  });

  test('what other programs run is listed too', async () => {
    const { out } = await appengine('--help');
    for (const name of ['serve', 'emulator', 'doctor'])
      expect(out).toMatch(new RegExp(`^ {2}${name} .*see appengine ${name}`.replaceAll(' .*', '[\\s\\S]*?'), 'm'));
    expect((await appengine('apps emulator')).code).not.toBe(0);
  });

  test('a wrong option or a missing one is said on stderr, with the way to help', async () => {
    const wrong = await appengine('apps list --jsn');
    expect(wrong.code).not.toBe(0);
    expect(wrong.err).toMatch(/unknown option.*--jsn[\s\S]*--json[\s\S]*--help/);
    const missing = await appengine('deploy');
    expect(missing.code).not.toBe(0);
    expect(missing.err).toContain('--app <id>');
    expect(missing.out).toBe('');
  });

  test('--version prints the release, and deploy has a --version of its own', async () => {
    expect(await appengine('--version')).toEqual({ code: 0, out: '9.9.9\n', err: '' });
    await appengine(`deploy ${directory} --app shop --version v7`);
    expect(deployRequest?.version).toBe('v7');
  });
});

describe('lists', () => {
  test('are tables for people', async () => {
    expect((await appengine('apps list')).out).toBe(
      'APP   SERVICES  URL                          CREATED (UTC)\nshop  default   http://shop.localhost:8080/  2026-01-02 03:04:05\n',
    );
    expect((await appengine('versions list --app shop')).out).toMatch(/^SERVICE +VERSION +TRAFFIC.*\ndefault +v1 +12\.5 % +2 +nodejs/);
    expect((await appengine('instances list --app shop')).out).toMatch(/ab12 +default +v1 +ready +5 s +81 ms +1\.25 s +31\.0 MB/);
    expect((await appengine('status')).out).toContain('No sandbox here');
  });

  test('are one JSON document with --json', async () => {
    expect(JSON.parse((await appengine('apps list --json')).out)).toEqual({ apps: [APP] });
    expect(JSON.parse((await appengine('versions list --app shop --json')).out)).toEqual({ versions: [VERSION] });
    expect(JSON.parse((await appengine('traffic set --app shop --split v1=0.5,v2=.5 --json')).out)).toEqual({
      versions: [{ ...VERSION, trafficShare: 0.5 }],
    });
  });

  test('say what to do when there is nothing', async () => {
    apps = [];
    expect(await appengine('apps list')).toEqual({ code: 0, out: '', err: 'No apps yet. Deploy one: appengine deploy DIR --app ID\n' });
  });

  test.each(['v1', 'v1=2', 'v1=-1', 'v1=0.5;v2=0.5', 'v1=0.1234'])('a split of "%s" is refused before anything is asked', async (split) => {
    expect(await appengine(`traffic set --app shop --split ${split}`)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('USAGE'),
    });
  });
});

describe('instances stop', () => {
  test('says what happens, and fails for one that is not there', async () => {
    expect(await appengine('instances stop ab12 --app shop')).toMatchObject({ code: 0, out: expect.stringContaining('Instance ab12') });
    expect(JSON.parse((await appengine('instances stop ab12 --app shop --json')).out)).toEqual({
      stopping: { app: 'shop', instance: 'ab12' },
    });
    expect(await appengine('instances stop zz --app shop')).toMatchObject({ code: 1, err: expect.stringContaining('INSTANCE_NOT_FOUND') });
  });
});

describe('logs tail', () => {
  test('filters by text on the server', async () => {
    await appengine('logs tail --app shop --no-follow --text Boom');
    expect(logQuery).toMatchObject({ text: 'Boom', follow: false });
  });
});

describe('datastore', () => {
  // Words are split at spaces: a statement of several words is given as a list.
  const datastore = (...words: string[]): Promise<Said> => appengine(['datastore', ...words, '--app', 'shop']);

  test('query prints a table over all pages, harmless to the terminal', async () => {
    queries.length = 0;
    const { code, out, err } = await datastore('query', 'SELECT * FROM Book', '--explain');
    expect(code).toBe(0);
    expect(out.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['KEY', 'TITLE', 'YEAR', 'TAGS'],
      ['Book:1', '"Em\\u001b[2Jma"', '1815', '["novel", null]'],
      ['Book:2', 'null'],
      [''],
    ]);
    expect(err).toBe('Plan:\n  property Book.year, forward\n  read 6 index rows and 4 entities\n');
    expect(queries).toEqual([
      { gql: 'SELECT * FROM Book', namespace: '', pageSize: 100, explain: true },
      { gql: 'SELECT * FROM Book', namespace: '', pageSize: 99, cursor: 'next', explain: true },
    ]);
  });

  test('query stops at --limit and says so, and prints one document with --json', async () => {
    expect((await datastore('query', 'SELECT * FROM Book', '--limit', '1')).err).toContain('There may be more than 1 result');
    const { out } = await datastore('query', 'SELECT * FROM Book', '--json', '--namespace', 'tenant');
    expect(JSON.parse(out)).toMatchObject({ kind: 'entities', entities: [{ id: 'b1' }, { id: 'b2' }] });
    expect(queries.at(-1)).toMatchObject({ namespace: 'tenant' });
    await writeFile(join(directory, 'statement.gql'), 'SELECT *\nFROM Book');
    await datastore('query', '@statement.gql', '--bind', 'x=5', '--bind', '1=a=b');
    expect(queries.at(-1)).toMatchObject({
      gql: 'SELECT *\nFROM Book',
      named: { x: { integerValue: '5' } },
      positional: [{ stringValue: 'a=b' }],
    });
    await rm(join(directory, 'statement.gql'));
    expect(await datastore('query', '@missing.gql')).toMatchObject({ code: 1, err: expect.stringContaining('cannot be read') });
    expect(await datastore('query', 'SELECT *', '--bind', 'x')).toMatchObject({ code: 1, err: expect.stringContaining('name=value') });
    expect((await datastore('query', 'SELECT COUNT(*) AS n FROM Book')).out).toBe('n  5\n');
    for (const limit of ['0', '-1', 'x']) {
      expect(await datastore('query', 'SELECT * FROM Book', '--limit', limit)).toMatchObject({
        code: 1,
        err: expect.stringContaining('USAGE'),
      });
    }
  });

  test('query shows where a statement is wrong', async () => {
    const { code, err } = await datastore('query', 'SELEC * FROM Book');
    expect(code).toBe(1);
    expect(err).toContain('line 1, column 1');
    expect(err).toContain('\n  SELEC * FROM Book\n  ^');
  });

  test('lists kinds and namespaces', async () => {
    expect((await datastore('kinds')).out).toBe('Book\nShelf\n');
    expect((await datastore('kinds', '--namespace', 'x')).err).toContain('No entities');
    expect((await datastore('namespaces')).out).toBe('(default)\ntenant\n');
  });

  test('gets, puts and deletes one entity', async () => {
    const { out } = await datastore('get', 'b1');
    expect(JSON.parse(out)).toEqual(BOOK);
    await writeFile(join(directory, 'book.json'), out);
    expect(await datastore('put', 'book.json', '--mode', 'update')).toMatchObject({ code: 0, out: 'Wrote Book:1 (b1).\n' });
    await rm(join(directory, 'book.json'));
    const { key, properties, version } = BOOK;
    expect(writes.at(-1)).toEqual({ key, properties, version, mode: 'update' });
    input = JSON.stringify({ key, properties });
    expect((await datastore('put', '-')).code).toBe(0);
    expect(writes.at(-1)).toEqual({ key, properties, mode: 'upsert' });
    expect((await datastore('delete', 'b1')).out).toBe('Deleted b1.\n');
    expect(deletes).toEqual(['b1']);
    for (const wrong of ['no', '[1]', '{"key":{}}']) {
      input = wrong;
      expect(await datastore('put', '-')).toMatchObject({ code: 1, err: expect.stringContaining('USAGE') });
    }
    expect(await datastore('put', 'missing.json')).toMatchObject({ code: 1, err: expect.stringContaining('cannot be read') });
    expect(await datastore('get', 'zz')).toMatchObject({ code: 1, err: expect.stringContaining('NOT_FOUND') });
  });
});

describe('console', () => {
  test('prints a link alone on stdout, a new one each time', async () => {
    const first = await appengine('console');
    expect(first).toMatchObject({ code: 0, err: 'It signs in one browser, once, within 60 minutes.\n' });
    expect(first.out).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${server.port}/sign-in#code=[\\w-]{43}\n$`));
    const { url, expiresAtMs } = JSON.parse((await appengine('console --json')).out) as { url: string; expiresAtMs: number };
    expect(`${url}\n`).not.toBe(first.out);
    expect(expiresAtMs).toBeGreaterThan(Date.now());
  });

  test('hands it to a browser with --open, and says when there is none', async () => {
    opened.length = 0;
    const { out, err } = await appengine('console --open');
    expect(opened.map((url) => `${url}\n`)).toEqual([out]);
    expect(err).toContain('open the link by hand');
  });

  test('wants the owner token', async () => {
    expect(await appengine('console --token wrong')).toMatchObject({ code: 1, err: expect.stringContaining('UNAUTHENTICATED') });
  });
});

describe('deploy', () => {
  test('sends only what is new and prints the URL alone on stdout', async () => {
    const { code, out, err } = await appengine(`deploy ${directory} --app shop`);
    expect({ code, out }).toEqual({ code: 0, out: 'http://shop.localhost:8080/\n' });
    expect(uploaded.sort()).toEqual(['new', 'runtime: nodejs\n']);
    expect(err).toMatch(
      /Found +3 files[\s\S]*Uploaded +2 new files.*1 unchanged[\s\S]*runtime nodejs[\s\S]*\| added 68 packages[\s\S]*Deployed version v2/,
    );
    expect(err).not.toContain('\u001b');
  });

  test('says nothing else with --quiet, and everything as data with --json', async () => {
    expect(await appengine(`deploy ${directory} --app shop --quiet`)).toEqual({ code: 0, out: 'http://shop.localhost:8080/\n', err: '' });
    const { out, err } = await appengine(`deploy ${directory} --app shop --json`);
    expect(err).toBe('');
    expect(JSON.parse(out)).toEqual({
      ...{ url: APP.url, versionUrl: VERSION.url, app: 'shop', service: 'default', version: 'v2', promoted: true },
      ...{ uploadedFiles: 2, uploadedBytes: 19, unchangedFiles: 1, seconds: expect.any(Number) },
    });
  });

  test('without promotion prints the URL of the version', async () => {
    events = [{ ...(events.at(-1) as Extract<DeployEvent, { kind: 'done' }>), promoted: false }];
    expect((await appengine(`deploy ${directory} --app shop --no-promote`)).out).toBe(`${VERSION.url}\n`);
    expect(deployRequest?.promote).toBe(false);
  });

  test("that fails shows the app's own last lines, harmless to the terminal", async () => {
    const error = new PlatformError('INSTANCE_EXITED', 'with code 1', { details: { stderrTail: 'Error: boom\u001b[31m\n    at x.js:1' } });
    events = [{ kind: 'failed', step: 'start', error: errorBody(error) }];
    const { code, out, err } = await appengine(`deploy ${directory} --app shop`);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('Error: The app exited while it started: with code 1 (INSTANCE_EXITED)');
    expect(err).toContain('| Error: boom\ufffd[31m');
    expect(err).toContain('To mend it: ');
  });

  test('that is cut off says that nothing is known', async () => {
    events = events.slice(0, 2);
    expect(await appengine(`deploy ${directory} --app shop`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('RPC_CONNECTION_LOST'),
    });
  });

  test('moves in one line on a terminal', async () => {
    const { err } = await appengine(`deploy ${directory} --app shop`, { terminal: true, environment: { TERM: 'xterm' } });
    expect(err).toContain('\r\u001b[2K');
  });
});

describe('logs tail', () => {
  test('prints a line for each row and lets no control character through', async () => {
    const { out } = await appengine('logs tail --app shop --no-follow');
    expect(out).toBe(
      '1970-01-01T00:00:01.000Z default/v1 ab12 clear \ufffd[2J screen\n1970-01-01T00:00:02.000Z default/v1 503 GET /x 12 ms 7 B loading ROUTE_QUEUE_FULL\n',
    );
  });

  test('prints a JSON line for each row with --json', async () => {
    const { out } = await appengine('logs tail --app shop --no-follow --json');
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(ROWS);
  });
});

describe('colour', () => {
  const failing = 'versions list --app nobody';

  test('is for terminals', async () => {
    expect((await appengine(failing)).err).not.toContain('\u001b[');
    expect((await appengine(failing, { terminal: true, environment: { TERM: 'xterm' } })).err).toContain('\u001b[');
  });

  test('is off with NO_COLOR', async () => {
    expect((await appengine(failing, { terminal: true, environment: { TERM: 'xterm', NO_COLOR: '1' } })).err).not.toContain('\u001b[');
  });
});

describe('who may', () => {
  test('a wrong token is refused with where to find the right one', async () => {
    expect(await appengine('apps list', { environment: { APPENGINE_TOKEN: 'guess' } })).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('credentials/owner-token'),
    });
  });

  test('a server that is something else, and an address that is none, are told apart', async () => {
    expect((await appengine('apps list --server nonsense')).err).toContain('--server is "nonsense"');
    expect((await appengine('apps list --server http://127.0.0.1:9')).err).toContain('SERVER_UNREACHABLE');
  });
});

describe('accounts', () => {
  beforeEach(() => {
    accounts.clear();
    passwords.length = 0;
    questions.length = 0;
    answers = [];
  });

  test('add asks twice for the password and never takes it as a word', async () => {
    answers = ['difference', 'difference'];
    const added = await appengine('accounts add ada@example.com --admin-of shop,blog');
    expect(added).toEqual({ code: 0, out: 'Added the account ada@example.com; an administrator of shop, blog.\n', err: '' });
    expect(questions).toEqual(['Password for ada@example.com: ', 'The same once more: ']);
    expect(passwords).toEqual(['difference']);
    expect((await appengine('accounts add ada@example.com --password difference')).err).toContain('unknown option');
  });

  test('two passwords that differ change nothing', async () => {
    answers = ['difference', 'diffrence'];
    const refused = await appengine('accounts add ada@example.com');
    expect([refused.code, accounts.size]).toEqual([1, 0]);
    expect(refused.err).toContain('the two passwords differ');
  });

  test('a password may come from a pipe; set changes what it names', async () => {
    await appengine('accounts add ada@example.com --password-stdin');
    expect(passwords).toEqual(['from a pipe']);
    const admin = await appengine('accounts set ada@example.com --admin-of * --json');
    expect(JSON.parse(admin.out)).toMatchObject({ email: 'ada@example.com', adminOf: ['*'] });
    expect(passwords).toHaveLength(1);
    await appengine('accounts set ada@example.com --password-stdin');
    expect(passwords).toHaveLength(2);
    expect(accounts.get('ada@example.com')?.adminOf).toEqual(['*']);
  });

  test('list and delete', async () => {
    expect((await appengine('accounts list')).err).toContain('No accounts yet');
    await appengine('accounts add ada@example.com --password-stdin --admin-of shop');
    expect((await appengine('accounts list')).out).toMatch(/E-MAIL +ADMINISTRATOR OF +CREATED \(UTC\)\nada@example\.com +shop +2026-01-02/);
    expect((await appengine('accounts delete ada@example.com')).out).toContain('Deleted the account ada@example.com');
    const missing = await appengine('accounts delete ada@example.com');
    expect([missing.code, missing.err.includes('ACCOUNT_NOT_FOUND')]).toEqual([1, true]);
  });
});
