// Google's own Datastore client inside deployed apps, unchanged: each app finds its own data, whatever project it names, and nothing else.
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PlatformProcess, root, waitFor } from './platform-process.ts';

const APPS = ['one', 'two'] as const;
type App = (typeof APPS)[number];
/** What an app's client may call the project: nothing, either app's id, and what neither is. */
const PROJECTS = ['', 'one', 'two', 'shared', 'dummy-emulator-datastore-project', 'example.com:legacy'];
/** An app cannot lead its clients elsewhere by accident. */
const YAML = `runtime: nodejs
entrypoint: node server.mjs
env_variables:
  DATASTORE_EMULATOR_HOST: elsewhere.example:1
  DATASTORE_PROJECT_ID: elsewhere
  GOOGLE_CLOUD_PROJECT: elsewhere
  OWN: kept
`;

/** What Google's clients for Python do, in a form that needs no package: $HTTP_PROXY is set, and they look at it. */
const PYTHON = `
import json, os
from urllib.request import Request, urlopen

def call(method, body, project="shared"):
    url = f"http://{os.environ['DATASTORE_EMULATOR_HOST']}/v1/projects/{project}:{method}"
    with urlopen(Request(url, json.dumps(body).encode(), {"content-type": "application/json"}), timeout=10) as answer:
        return json.load(answer)

def texts(found):
    return [each["entity"]["properties"]["text"]["stringValue"] for each in found]

def app(environ, start_response):
    key = lambda name: {"path": [{"kind": "Note", "name": name}]}
    others = call("lookup", {"keys": [key("of-one")]}).get("found", [])
    entity = {"key": key("of-python"), "properties": {"text": {"stringValue": "by python"}}}
    call("commit", {"mode": "NON_TRANSACTIONAL", "mutations": [{"upsert": entity}]}, "other")
    own = call("lookup", {"keys": [key("of-python")]})["found"]
    start_response("200 OK", [("content-type", "application/json")])
    named = own[0]["entity"]["key"]["partitionId"]["projectId"]
    answer = {"project": os.environ["GOOGLE_CLOUD_PROJECT"], "others": texts(others), "own": texts(own), "named": named}
    return [json.dumps(answer).encode()]
`;
const hasPython = existsSync('/usr/bin/python3') || existsSync('/usr/local/bin/python3');
if (!hasPython) console.warn('SKIPPED: the datastore from Python inside an instance. To run it: apt-get install python3');

let directory: string;
let platform: PlatformProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'google-client-'));
  platform = await PlatformProcess.start();
  await cp(join(root, 'tests/integration/google-client-app'), directory, { recursive: true });
  await writeFile(join(directory, 'app.yaml'), YAML);
  // The first installs the packages, the other finds them.
  for (const app of APPS) await platform.appengineJson('deploy', directory, '--app', app, '--quiet');
});
afterAll(async () => {
  await platform.remove();
  await rm(directory, { recursive: true, force: true });
});

/** What the app answers; fails with the app's own stack when it is no answer. */
async function ask(app: App, path: string, query: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const { status, text } = await platform.http(app, `${path}?${new URLSearchParams(query).toString()}`);
  if (status !== 200) throw new Error(`${app} ${path}: ${status} ${text}`);
  return JSON.parse(text);
}

async function instancesOf(app: App): Promise<readonly { readonly id: string; readonly pid?: number }[]> {
  type Listed = { readonly instances: readonly { readonly id: string; readonly pid?: number }[] };
  return (await platform.appengineJson<Listed>('instances', 'list', '--app', app)).instances;
}

test('the client finds its project and its datastore by itself', async () => {
  for (const app of APPS) {
    const address = '127.0.0.1:61081';
    const found = { GOOGLE_CLOUD_PROJECT: app, DATASTORE_PROJECT_ID: app, DATASTORE_EMULATOR_HOST: address, OWN: 'kept' };
    expect(await ask(app, '/environment')).toEqual(found);
    expect(await ask(app, '/project')).toBe(app);
  }
});

test('two apps with the same client and the same project ids read and write their own data alone', async () => {
  for (const app of APPS) {
    for (const project of PROJECTS) {
      expect(await ask(app, '/save', { project, name: 'one', text: `of ${app}, called ${project}` })).toBe('saved');
      // The other app wrote to the same key under the same name before, or will.
      expect(await ask(app, '/read', { name: 'one' })).toBe(`of ${app}, called ${project}`);
    }
  }
  for (const app of APPS) {
    const text = `of ${app}, called ${PROJECTS.at(-1) ?? ''}`;
    for (const project of PROJECTS) {
      expect(await ask(app, '/read', { project, name: 'one' })).toBe(text);
      expect(await ask(app, '/list', { project })).toEqual({ texts: [text], first: text, count: 1 });
      expect(await ask(app, '/insert', { project, name: 'one' })).toBe('code 6');
    }
  }
  await ask('one', '/save', { name: 'of-one', text: 'secret' });
  for (const project of PROJECTS) expect(await ask('two', '/read', { project, name: 'of-one' })).toBeNull();
});

test("keys come back under the name that the client gave, and no request reaches into another project's keys", async () => {
  for (const project of ['one', 'two', 'shared']) {
    expect(await ask('one', '/names', { project, other: 'elsewhere' })).toEqual({ named: [project], refused: 'code 7' });
  }
});

test('the client in its REST form sees the same data', async () => {
  for (const app of APPS) {
    expect(await ask(app, '/rest', { project: 'shared', text: `rest of ${app}` })).toEqual([`rest of ${app}`, '9007199254740993']);
  }
  expect(await ask('one', '/read', { name: 'by-rest' })).toBe('rest of one');
});

test("a transaction, a child process and the platform's own view see the same data", async () => {
  await ask('one', '/save', { name: 'shown', text: 'a' });
  expect(await ask('one', '/append', { name: 'shown', text: 'b' })).toBe('appended');
  expect(await ask('one', '/child', { name: 'shown' })).toBe('ab');
  const shown = await platform.appengine('datastore', 'query', `SELECT * FROM Note WHERE text = 'ab'`, '--app', 'one');
  expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining('shown')]);
});

test('the sandbox still has no network: no interface but its own loopback, no port, no socket but those of this instance', async () => {
  expect(await ask('one', '/interfaces')).toEqual(['lo']);
  expect(await ask('one', '/connect', { host: '192.0.2.1', port: '443' })).toBe('ENETUNREACH');
  const port = platform.datastoreAddress.split(':')[1] ?? '';
  expect(await ask('one', '/connect', { host: '127.0.0.1', port })).toBe('ECONNREFUSED');
  expect(await ask('one', '/connect', { host: '127.0.0.1', port: String(platform.routerPort) })).toBe('ECONNREFUSED');
  expect(await ask('one', '/connect', { host: '127.0.0.2', port: '61082' })).toBe('ECONNREFUSED');
  const own = ['api.sock', 'app', 'app.sock', 'datastore-v1.sock', 'datastore.sock', 'egress.sock'];
  expect(await ask('one', '/sockets')).toEqual(own);
  expect(await ask('one', '/visible', { path: platform.dataDirectory })).toBe('ENOENT');
});

test.runIf(hasPython)('a program of another language finds it behind the forwarder, beside the proxy', async () => {
  const code = await mkdtemp(join(tmpdir(), 'google-client-python-'));
  try {
    await writeFile(join(code, 'app.yaml'), 'runtime: python3\n');
    await writeFile(join(code, 'main.py'), PYTHON);
    await platform.appengineJson('deploy', code, '--app', 'python', '--quiet');
  } finally {
    await rm(code, { recursive: true, force: true });
  }
  await ask('one', '/save', { project: 'shared', name: 'of-one', text: 'secret' });
  const { status, text } = await platform.http('python', '/');
  expect([status, JSON.parse(text)]).toEqual([200, { project: 'python', others: [], own: ['by python'], named: 'shared' }]);
  expect(await ask('one', '/read', { name: 'of-python' })).toBeNull();
});

test('a client with an open channel goes on after the datastore was killed, and no instance is taken for failing', async () => {
  await ask('one', '/save', { name: 'kept', text: 'before' });
  const before = await instancesOf('one');
  for (const round of ['first', 'second']) {
    const pid = platform.rolePid('datastore') ?? 0;
    process.kill(pid, 'SIGKILL');
    // Reads are tried again by the client itself, on the same channel.
    const reads = await Promise.all(Array.from({ length: 10 }, () => ask('one', '/read', { name: 'kept' })));
    expect(new Set(reads)).toEqual(new Set([round === 'first' ? 'before' : 'after the first']));
    expect(platform.rolePid('datastore')).not.toBe(pid);
    await ask('one', '/save', { name: 'kept', text: `after the ${round}` });
    expect(await ask('one', '/read', { name: 'kept' })).toBe(`after the ${round}`);
  }
  // What a new connection writes while nobody is there waits for the datastore, for nobody tries a commit again.
  const pid = platform.rolePid('datastore') ?? 0;
  process.kill(pid, 'SIGKILL');
  await waitFor('the datastore is gone', () => platform.rolePid('datastore') !== pid);
  expect(await ask('one', '/save', { own: 'yes', name: 'kept', text: 'by a new connection' })).toBe('saved');
  expect((await instancesOf('one')).map(({ id, pid: process }) => [id, process])).toEqual(
    before.map(({ id, pid: process }) => [id, process]),
  );
});
