// The mail service as an app meets it, down to what another mail program reads: SDK client, real socket, service table,
// spool, SMTP, a server on a loopback port, a parser of somebody else.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ParsedMail, simpleParser } from 'mailparser';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MailSpool } from '../../runtime/backends/mail-spool.ts';
import { SmtpOutbox } from '../../runtime/backends/mail-smtp.ts';
import { MemoryUsageMeter, OPEN_GATE, type QuotaGate } from '../../runtime/api/usage-meter.ts';
import { mailApi } from '../../runtime/services/mail/mail.ts';
import { MailViewer } from '../../runtime/services/mail/mail-viewer.ts';
import { Mail } from '../../sdk/client/mail.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { ServiceSocket } from './service-socket.ts';
import { SmtpSample } from './mail-sample.ts';

const WAIT = { timeout: 15_000, interval: 10 };
let closing: CloseStack;
let server: SmtpSample;
let outbox: SmtpOutbox;
let viewer: MailViewer;
let meter: MemoryUsageMeter;
let mail: Mail;
let refusedByQuota: string | undefined;

beforeEach(async () => {
  closing = new CloseStack();
  const directory = await mkdtemp(join(tmpdir(), 'mail-'));
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  server = new SmtpSample();
  await server.start();
  closing.defer(() => server.stop());
  const log = new MemoryLog();
  const spool = new MailSpool(directory, log, { messagesMax: 100, bytesMax: 100_000_000, isDelivered: true });
  outbox = new SmtpOutbox(spool, systemClock, systemTimers, systemRandom, log, {
    ...{ url: server.url, deliveriesMax: 2, silenceMs: 5_000, firstRetryMs: 20, retryMsMax: 200, deliveryMs: 600_000 },
  });
  await outbox.start();
  closing.defer(() => outbox.close());
  viewer = new MailViewer(outbox);
  meter = new MemoryUsageMeter();
  refusedByQuota = undefined;
  const gate: QuotaGate = {
    check: (appId, resource) => {
      if (resource === refusedByQuota) throw new PlatformError('QUOTA_EXCEEDED', `${appId} ${resource}`);
      OPEN_GATE.check(appId, resource);
    },
  };
  const administrators = {
    administratorsOf: (appId: string) => Promise.resolve(appId === 'shop' ? ['ada@example.com', 'root@example.com'] : []),
  };
  const senders = { domain: 'apps.example.com', senders: ['News@example.com'], administrators };
  const api = mailApi({ outbox, senders, meter, gate, clock: systemClock, random: systemRandom });
  const sockets = await ServiceSocket.open([api], { gate, meter });
  closing.defer(() => sockets.close());
  mail = new Mail(await sockets.connect('shop'));
});

afterEach(() => closing.close());

const FROM = 'me@shop.apps.example.com';
const plain = { from: FROM, to: 'bob@example.com', subject: 'Hello', text: 'Hi' };

async function arrived(count = 1): Promise<ParsedMail> {
  await expect.poll(() => server.received.length, WAIT).toBe(count);
  return simpleParser(server.received[count - 1]?.message ?? Buffer.alloc(0));
}

describe('a message', () => {
  it('arrives as it was written: umlauts, HTML, an image in it, attachments, headers', async () => {
    const image = Buffer.from(Array.from({ length: 5_000 }, (_, index) => index % 256));
    const { id } = await mail.send({
      from: `"Müller, Jörg" <${FROM}>`,
      to: ['Ada Lovelace <ada@example.com>', 'bob@münchen.example'],
      cc: 'Ça va <cc@example.com>',
      replyTo: 'answers@example.com',
      subject: `${'Grüße aus 東京 – '.repeat(8)}!`,
      text: '.Zeile mit Punkt\r\nÄÖÜ ß 🎈\r\n',
      html: '<p>Grüße <img src="cid:logo@shop"></p>',
      attachments: [
        { name: 'logo.png', content: image, contentId: 'logo@shop' },
        { name: 'Übersicht März.txt', content: 'eins\nzwei ß' },
        { name: 'daten', content: Buffer.alloc(0) },
        { name: 'alt.eml', content: 'Subject: x\r\n\r\ny', contentType: 'message/rfc822' },
      ],
      headers: { 'list-unsubscribe': '<https://example.com/u>', 'In-Reply-To': '<one@example.com>' },
    });
    const found = await arrived();
    expect(found.from?.value).toEqual([{ name: 'Müller, Jörg', address: FROM }]);
    expect([found.to].flat().flatMap((entry) => entry?.value ?? [])).toEqual([
      { name: 'Ada Lovelace', address: 'ada@example.com' },
      // The parser and the server show an international domain as people write it; on the wire it is ASCII.
      { name: '', address: 'bob@münchen.example' },
    ]);
    expect([found.cc].flat()[0]?.value).toEqual([{ name: 'Ça va', address: 'cc@example.com' }]);
    expect(found.replyTo?.value[0]?.address).toBe('answers@example.com');
    expect(found.subject).toBe(`${'Grüße aus 東京 – '.repeat(8)}!`);
    expect(found.text?.replaceAll('\r\n', '\n')).toContain('.Zeile mit Punkt\nÄÖÜ ß 🎈');
    expect(found.html).toContain('Grüße <img src=');
    expect(found.messageId).toBe(`<${id}@shop.apps.example.com>`);
    expect(found.inReplyTo).toBe('<one@example.com>');
    expect(found.headers.get('list')).toMatchObject({ unsubscribe: { url: 'https://example.com/u' } });
    const files = new Map(found.attachments.map((file) => [file.filename, file]));
    expect(files.get('logo.png')).toMatchObject({ contentType: 'image/png', cid: 'logo@shop', content: image });
    expect(files.get('Übersicht März.txt')?.content.toString()).toBe('eins\nzwei ß');
    expect(files.get('daten')).toMatchObject({ contentType: 'application/octet-stream', size: 0 });
    // The parser guesses a type from the name, so the message itself is looked at.
    expect(server.received[0]?.message.toString()).not.toContain('message/rfc822');
    expect(files.get('alt.eml')?.content.toString()).toBe('Subject: x\r\n\r\ny');
    expect(server.received[0]?.message.toString()).toContain('bob@xn--mnchen-3ya.example');
    expect(server.received[0]).toMatchObject({ from: FROM, to: ['ada@example.com', 'bob@münchen.example', 'cc@example.com'] });
    await expect.poll(async () => (await viewer.show('shop', id)).state, WAIT).toBe('sent');
  });

  it('goes to Bcc without a word of it', async () => {
    await mail.send({ ...plain, cc: 'BOB@example.com', bcc: ['Hidden <hidden@example.com>', 'bob@example.com'] });
    await arrived();
    expect(server.received[0]?.to).toEqual(['bob@example.com', 'hidden@example.com']);
    expect(server.received[0]?.message.toString()).not.toMatch(/hidden|bcc/i);
  });

  it('may go to Bcc alone', async () => {
    await mail.send({ from: FROM, bcc: 'hidden@example.com', subject: 's', html: '<b>x</b>' });
    expect((await arrived()).html).toContain('<b>x</b>');
  });

  it('is shown with its attachments and how its delivery went', async () => {
    const content = Buffer.from('the very bytes\n'.repeat(500));
    const { id } = await mail.send({
      ...plain,
      bcc: 'hidden@example.com',
      attachments: [
        { name: 'a.txt', content: 'first' },
        { name: 'b.bin', content },
      ],
    });
    await arrived();
    await expect.poll(async () => (await viewer.show('shop', id)).state, WAIT).toBe('sent');
    expect(await viewer.show('shop', id)).toMatchObject({
      ...{ id, from: FROM, to: ['bob@example.com'], cc: [], bcc: ['hidden@example.com'], subject: 'Hello', text: 'Hi', attachments: 2 },
      files: [
        { name: 'a.txt', contentType: 'text/plain', bytes: 5 },
        { name: 'b.bin', contentType: 'application/octet-stream', bytes: content.length },
      ],
    });
    expect(Buffer.from((await viewer.attachment('shop', id, 0)).bytes).toString()).toBe('first');
    expect(await viewer.attachment('shop', id, 1)).toEqual({ name: 'b.bin', bytes: content });
    expect(Buffer.from(await viewer.raw('shop', id))).toEqual(server.received[0]?.message);
    await expect(viewer.attachment('shop', id, 2)).rejects.toMatchObject({ code: 'MAIL_NOT_FOUND' });
  });

  it('of the largest size arrives whole', async () => {
    const content = Buffer.alloc(10 * 1024 * 1024 - plain.text.length, 7);
    await mail.send({ ...plain, attachments: [{ name: 'large.bin', content }] });
    expect((await arrived()).attachments[0]?.content.equals(content)).toBe(true);
  });

  it('to the administrators goes to all of them', async () => {
    await mail.sendToAdmins({ from: FROM, subject: 'Look', text: 'at this' });
    await arrived();
    expect(server.received[0]?.to).toEqual(['ada@example.com', 'root@example.com']);
    await expect(mail.sendToAdmins({ from: FROM, subject: 's', text: 'x'.repeat(16_385) })).rejects.toMatchObject({
      code: 'MAIL_TOO_LARGE',
    });
  });
});

describe('counting', () => {
  it('counts each recipient once, and none of a message that was refused', async () => {
    await mail.send({ ...plain, cc: ['Bob@Example.com', 'c@example.com'], bcc: 'd@example.com' });
    await expect(mail.send({ ...plain, from: 'spoof@example.com' })).rejects.toMatchObject({ code: 'MAIL_SENDER_REFUSED' });
    expect(meter.totals.get('shop')).toMatchObject({ mailCalls: 2, mailRecipients: 3 });
  });

  it('ends at either quota', async () => {
    for (refusedByQuota of ['mailRecipients', 'mailCalls']) {
      await expect(mail.send(plain)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    }
    expect(await viewer.list('shop', 10)).toEqual([]);
  });
});

it.each([FROM, 'ANY.thing@Shop.Apps.Example.Com', 'news@EXAMPLE.com', 'Root <root@example.com>'])('may be sent as %s', async (from) => {
  await mail.send({ ...plain, from });
});
