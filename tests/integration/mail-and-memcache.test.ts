// Memcache and mail from an app in a real sandbox: shared by its instances, seen by the command line; mail that waits for a
// server outlives the death of the role that sends it, and of the whole platform.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MailSummaryView, type MailView } from '../../sdk/contract/admin/data.ts';
import { SmtpSample } from '../contract/mail-sample.ts';
import { PlatformProcess, processesBelow, waitFor } from './platform-process.ts';

const PASSWORD = 'S3cret-of-the-operator';
const APP = `
const http = require('node:http');
const { mail, memcache } = require('appengine');
const routes = {
  '/count': async () => memcache.incr('visits', 1, { initial: 0 }),
  '/set': async () => memcache.set('page', { bytes: [1, 2], text: 'grüße' }),
  '/get': async () => (await memcache.get('page')) ?? null,
  '/send': async () => mail.send({
    from: 'me@shop.localhost', to: 'ada@example.com', bcc: 'hidden@example.com', subject: 'Grüße', text: 'Hällo',
    attachments: [{ name: 'a.txt', content: 'attached' }],
  }),
  '/spoof': async () => mail.send({ from: 'boss@example.com', to: 'ada@example.com', subject: 's', text: 't' }),
  '/environment': async () => JSON.stringify(process.env),
};
http.createServer(async (request, response) => {
  try { response.end(JSON.stringify(await routes[request.url]())); }
  catch (error) { response.statusCode = 500; response.end(error.code ?? String(error)); }
}).listen(process.env.PORT);
`;

let directory: string;
let platform: PlatformProcess;
const smtp = new SmtpSample();
const ask = async (path: string): Promise<string> => (await platform.http('shop', path)).text;
const messages = async (): Promise<readonly MailSummaryView[]> =>
  (await platform.appengineJson<{ messages: MailSummaryView[] }>('mail', 'list', '--app', 'shop')).messages;
const stateOf = async (id: string): Promise<string | undefined> => (await messages()).find((message) => message.id === id)?.state;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mail-app-'));
  await writeFile(join(directory, 'app.yaml'), 'runtime: nodejs\nentrypoint: node server.js\n');
  await writeFile(join(directory, 'server.js'), APP);
  smtp.part = { login: { user: 'post', password: PASSWORD } };
  await smtp.start();
  process.env['APPENGINE_SMTP'] = smtp.url;
  platform = await PlatformProcess.start();
  await platform.appengineJson('deploy', directory, '--app', 'shop');
});

afterAll(async () => {
  delete process.env['APPENGINE_SMTP'];
  await platform.remove();
  await smtp.stop();
  await rm(directory, { recursive: true, force: true });
});

test('what one request caches the next one finds, and the command line too', async () => {
  expect(await ask('/count')).toBe('1');
  expect(await ask('/count')).toBe('2');
  await ask('/set');
  expect(JSON.parse(await ask('/get'))).toEqual({ bytes: [1, 2], text: 'grüße' });
  expect(await platform.appengineJson('memcache', 'get', 'visits', '--app', 'shop')).toMatchObject({ value: '2', encoding: 'json' });
  expect(await platform.appengineJson('memcache', 'stats', '--app', 'shop')).toMatchObject({ items: 2 });
  await platform.appengineJson('memcache', 'flush', '--app', 'shop');
  expect(await ask('/get')).toBe('null');
});

test('mail is delivered, and shown', async () => {
  const { id } = JSON.parse(await ask('/send')) as { id: string };
  await waitFor('the message is sent', async () => (await stateOf(id)) === 'sent');
  expect(smtp.received.at(-1)?.to).toEqual(['ada@example.com', 'hidden@example.com']);
  const shown = await platform.appengineJson<MailView>('mail', 'show', id, '--app', 'shop');
  expect(shown).toMatchObject({ subject: 'Grüße', text: 'Hällo', bcc: ['hidden@example.com'], files: [{ name: 'a.txt', bytes: 8 }] });
  expect(await ask('/spoof')).toBe('MAIL_SENDER_REFUSED');
});

test('the password is nowhere but in the role that sends', async () => {
  const rows = processesBelow(platform.pid);
  const control = platform.rolePid('control');
  expect(rows.map(({ commandLine }) => commandLine).join('\n')).not.toContain(PASSWORD);
  const environments = rows.filter(({ pid }) => pid !== control).flatMap(({ pid }) => environmentOf(pid));
  expect(environments.length).toBeGreaterThanOrEqual(2);
  expect(environments.join('\n')).not.toContain(PASSWORD);
  expect(environmentOf(control ?? 0).join()).toContain(PASSWORD);
  expect(await ask('/environment')).not.toContain(PASSWORD);
  expect(JSON.stringify(await platform.appengineJson('status'))).not.toContain(PASSWORD);
  expect(platform.output).not.toContain(PASSWORD);
});

/** Unreadable ones belong to another user, or are gone. */
function environmentOf(pid: number): string[] {
  try {
    return [readFileSync(`/proc/${pid}/environ`, 'utf8')];
  } catch {
    return [];
  }
}

test('mail that waits outlives the role, then the whole platform, and arrives once the server is back', async () => {
  await smtp.stop();
  smtp.received.length = 0;
  const first = (JSON.parse(await ask('/send')) as { id: string }).id;
  expect(await stateOf(first)).toBe('queued');
  const pid = platform.rolePid('control');
  process.kill(pid ?? 0, 'SIGKILL');
  await waitFor('the control role is back', () => platform.rolePid('control') !== undefined && platform.rolePid('control') !== pid);
  const second = (JSON.parse(await ask('/send')) as { id: string }).id;
  await platform.killTree();
  await smtp.start();
  await platform.start();
  await waitFor('both are sent', async () => (await stateOf(first)) === 'sent' && (await stateOf(second)) === 'sent', 90_000);
  const ids = smtp.received.map(({ message }) => /^Message-ID: <(.*?)@/im.exec(message.toString())?.[1]);
  expect(new Set(ids)).toEqual(new Set([first, second]));
});
