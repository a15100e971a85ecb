// The console's server side in a real platform: the printed link, sessions across a restart, and an instance sent away.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type ClientRequest, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AdminInstanceView } from '../../sdk/contract/admin/admin.ts';
import { type EntityView, type GqlAnswerView } from '../../sdk/contract/admin/data.ts';
import { type SessionView, type SignInLinkView } from '../../sdk/contract/admin/session.ts';
import { httpByHost, PlatformProcess, waitFor } from './platform-process.ts';

/** Answers a POST once its body has ended, so that a request is under way for as long as the test wants. */
const APP = `
let waiting = 0;
require('node:http').createServer((request, response) => {
  if (request.method === 'POST') {
    waiting++;
    request.resume().on('end', () => response.end('finished ' + process.env.GAE_INSTANCE));
  } else response.end(request.url === '/waiting' ? String(waiting) : process.env.GAE_INSTANCE);
}).listen(process.env.PORT);
`;

let platform: PlatformProcess;
let app: string;

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), 'console-'));
  await writeFile(join(app, 'app.yaml'), 'runtime: nodejs20\n');
  await writeFile(join(app, 'server.js'), APP);
  platform = await PlatformProcess.start('--console-host', 'console.example.com');
});

afterAll(async () => {
  await platform.remove();
  await rm(app, { recursive: true });
});

const signIn = (code: string): Promise<Response> =>
  fetch(`${platform.consoleUrl}/api/v1/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: platform.consoleUrl },
    body: JSON.stringify({ code }),
  });

const sessionOf = (cookie: string): Promise<Response> => fetch(`${platform.consoleUrl}/api/v1/session`, { headers: { cookie } });

test('serve prints a link that signs in once, and the session outlives the control role', async () => {
  const [, origin, code = ''] = /^Console +(http:\S+)\/sign-in#code=(\S+)$/m.exec(platform.output) ?? [];
  expect(origin).toBe(platform.consoleUrl);
  expect(platform.output.indexOf('Console ')).toBeLessThan(platform.output.indexOf('ready '));
  const answer = await signIn(code);
  expect(answer.status).toBe(200);
  const session = (await answer.json()) as SessionView;
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  for (const name of ['sign-in-codes', 'console-sessions']) {
    const path = join(platform.dataDirectory, 'credentials', name);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).not.toContain(cookie.split('=')[1]);
  }
  const { url } = await platform.appengineJson<SignInLinkView>('console');

  const killed = platform.rolePid('control')!;
  process.kill(killed, 'SIGKILL');
  await waitFor('another control role', () => ![undefined, killed].includes(platform.rolePid('control')));
  const after = await waitFor('the control role to be back', async () => (await sessionOf(cookie).catch(() => undefined)) ?? undefined);
  expect(await after.json()).toEqual(session);
  expect((await signIn(code)).status).toBe(401);
  expect((await signIn(url.split('#code=')[1] ?? '')).status).toBe(200);
});

test('the console answers at the host names that the operator allows, and at no others', async () => {
  const port = Number(new URL(platform.consoleUrl).port);
  expect((await httpByHost(port, 'console.example.com', '/api/v1/status')).status).toBe(200);
  expect((await httpByHost(port, 'other.example.com', '/api/v1/status')).status).toBe(421);
});

test('an instance that is asked to go finishes its request, while a new one takes the others', async () => {
  await platform.appengineJson('deploy', app, '--app', 'slow');
  const first = (await platform.http('slow', '/')).text;
  const slow = openPost('slow.localhost');
  await waitFor('the slow request to be there', async () => (await platform.http('slow', '/waiting')).text === '1');
  const instances = async (): Promise<readonly AdminInstanceView[]> =>
    (await platform.appengineJson<{ instances: AdminInstanceView[] }>('instances', 'list', '--app', 'slow')).instances;
  expect(await platform.appengineJson('instances', 'stop', first, '--app', 'slow')).toEqual({ stopping: { app: 'slow', instance: first } });

  const second = (await platform.http('slow', '/')).text;
  expect(second).not.toBe(first);
  expect((await instances()).find(({ id }) => id === first)?.state).toBe('ready');
  slow.request.end();
  expect(await slow.answer).toBe(`finished ${first}`);
  await waitFor('the first instance to be gone', async () => !(await instances()).some(({ id }) => id === first));
  expect((await platform.http('slow', '/')).text).toBe(second);

  const missing = await platform.appengine('instances', 'stop', 'nobody', '--app', 'slow');
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('INSTANCE_NOT_FOUND') });
});

test("an app's data is read and changed from the command line, durably", async () => {
  const entity = { key: { path: [{ kind: 'Book', name: 'emma' }] }, properties: { year: { integerValue: '1815' } } };
  await writeFile(join(platform.dataDirectory, 'book.json'), JSON.stringify(entity));
  const written = await platform.appengineJson<EntityView>('datastore', 'put', join(platform.dataDirectory, 'book.json'), '--app', 'slow');
  process.kill(platform.rolePid('datastore')!, 'SIGKILL');
  const answer = await platform.appengineJson<GqlAnswerView>('datastore', 'query', 'SELECT * FROM Book WHERE year = 1815', '--app', 'slow');
  expect(answer).toEqual({ kind: 'entities', entities: [written] });
  expect(await platform.appengineJson('datastore', 'kinds', '--app', 'slow')).toEqual({ kinds: [{ kind: 'Book' }] });
  const wrong = await platform.appengine('datastore', 'query', 'SELECT FROM Book', '--app', 'slow');
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toMatch(/\n {2}SELECT FROM Book\n +\^[\s\S]*GQL_SYNTAX/);
});

/** A POST whose body the caller ends. */
function openPost(host: string): { readonly request: ClientRequest; readonly answer: Promise<string> } {
  const outgoing = request({ host: '127.0.0.1', port: platform.routerPort, method: 'POST', headers: { host }, agent: false });
  const answer = new Promise<string>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    });
  });
  outgoing.write('begin');
  return { request: outgoing, answer };
}
