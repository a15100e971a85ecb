import express from 'express';
import request from 'supertest';
import { beforeEach, expect, test } from 'vitest';
import { MemoryOutbox } from '../runtime/backends/mail-memory.ts';
import { MailViewer } from '../runtime/services/mail/mail-viewer.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { errorAnswer, notFound } from './error-answer.ts';
import { mailRoutes } from './mail-routes.ts';
import { type AppsApi } from './ports.ts';

const ID = '0mf3kq2a1-5b0c9d2e4f61';
const PAGE = '<script>alert(1)</script>';
const MESSAGE = `Subject: x\r\n\r\n\r\n\r\n${Buffer.from(PAGE).toString('base64')}\r\n`;
const AT = MESSAGE.lastIndexOf('\r\n\r\n') + 4;
const apps = {
  app: (id: string) => (id === 'shop' ? Promise.resolve({}) : Promise.reject(new PlatformError('APP_NOT_FOUND', id))),
} as unknown as AppsApi;

let outbox: MemoryOutbox;
let server: express.Express;

beforeEach(async () => {
  outbox = new MemoryOutbox();
  await add(ID);
  server = express();
  server.set('query parser', 'simple');
  server.use(mailRoutes(apps, new MailViewer(outbox)), notFound, errorAnswer(new MemoryLog()));
});

async function add(id: string, name = 'evil".html\u202e ü'): Promise<void> {
  const length = MESSAGE.trimEnd().length - AT;
  await outbox.add({
    ...{ id, appId: 'shop', sentAtMs: 5, envelope: { from: 'a@b', to: ['c@d', 'e@f'] }, message: Buffer.from(MESSAGE) },
    content: {
      ...{ from: 'A <a@b>', to: ['c@d'], cc: [], bcc: ['e@f'], subject: 's', html: PAGE },
      files: [{ name, contentType: 'text/html', bytes: PAGE.length, at: AT, length }],
    },
  });
}

const get = (path: string) => request(server).get(`/apps/shop/mail${path}`);

test('messages are listed and shown', async () => {
  await add('0mf3kq2a2-5b0c9d2e4f61');
  const summary = { from: 'A <a@b>', to: ['c@d'], subject: 's', bytes: MESSAGE.length, attachments: 1, state: 'spooled', sentAtMs: 5 };
  expect((await get('')).body).toEqual({
    messages: [
      { ...summary, id: '0mf3kq2a2-5b0c9d2e4f61' },
      { ...summary, id: ID },
    ],
  });
  expect((await get('?limit=1')).body.messages.length).toBe(1);
  expect((await get(`/${ID}`)).body).toEqual({
    ...{ ...summary, id: ID, cc: [], bcc: ['e@f'], html: PAGE },
    files: [{ name: 'evil".html\u202e ü', contentType: 'text/html', bytes: PAGE.length }],
  });
});

test.each([
  ['raw', `/${ID}/raw`, 'message/rfc822', MESSAGE],
  ['an attachment', `/${ID}/attachments/0`, 'application/octet-stream', PAGE],
])('%s is saved, never shown, whatever it says it is', async (_, path, type, body) => {
  const answer = await get(path)
    .buffer(true)
    .parse((response, done) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      response.on('end', () => done(null, text));
    });
  expect(answer.body).toBe(body);
  expect(answer.headers).toMatchObject({
    'content-type': type,
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'content-disposition': expect.stringMatching(/^attachment; filename=/),
  });
  expect(answer.headers['content-disposition']).not.toMatch(/[\r\n]|filename="evil"/);
});

test('a message is deleted once', async () => {
  expect((await request(server).delete(`/apps/shop/mail/${ID}`)).body).toEqual({});
  const again = await request(server).delete(`/apps/shop/mail/${ID}`);
  expect([again.status, again.body.error.code]).toEqual([404, 'MAIL_NOT_FOUND']);
});

test.each([
  ['/0mf3kq2a9-5b0c9d2e4f61', 'MAIL_NOT_FOUND'],
  ['/..%2f..%2fcredentials%2fowner-token', 'MAIL_NOT_FOUND'],
  ['/..%2fblog%2f0mf3kq2a1-5b0c9d2e4f61/raw', 'MAIL_NOT_FOUND'],
  [`/${ID}/attachments/1`, 'MAIL_NOT_FOUND'],
  [`/${ID}/attachments/-1`, 'MAIL_NOT_FOUND'],
  [`/${ID}/attachments/length`, 'MAIL_NOT_FOUND'],
  ['?limit=0', 'INVALID_ARGUMENT'],
  ['?limit=201', 'INVALID_ARGUMENT'],
  ['?limit=x', 'INVALID_ARGUMENT'],
])('%s is %s', async (path, code) => {
  expect((await get(path)).body.error.code).toBe(code);
});

test.each([
  ['get', ''],
  ['get', `/${ID}`],
  ['get', `/${ID}/raw`],
  ['get', `/${ID}/attachments/0`],
  ['delete', `/${ID}`],
] as const)('%s %s of an app that is not there is 404', async (verb, path) => {
  const answer = await request(server)[verb](`/apps/nobody/mail${path}`);
  expect([answer.status, answer.body.error.code]).toEqual([404, 'APP_NOT_FOUND']);
});
