// What every outbox keeps to, and what the spool on disk and the SMTP outbox promise beyond it.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryOutbox } from '../../runtime/backends/mail-memory.ts';
import { MailSpool } from '../../runtime/backends/mail-spool.ts';
import { type SmtpOptions, SmtpOutbox } from '../../runtime/backends/mail-smtp.ts';
import { type MailDelivery, type Outbox } from '../../runtime/services/mail/outbox.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { sampleMail, SmtpSample } from './mail-sample.ts';

const WAIT = { timeout: 15_000, interval: 10 };
const room = { messagesMax: 100, bytesMax: 1_000_000 };
let directory: string;
let log: MemoryLog;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mail-'));
  log = new MemoryLog();
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const spoolOf = (options: Partial<ConstructorParameters<typeof MailSpool>[2]> = {}): MailSpool =>
  new MailSpool(directory, log, { ...room, isDelivered: false, ...options });

const smtpOf = (spool: MailSpool, url: string, options: Partial<SmtpOptions> = {}): SmtpOutbox =>
  new SmtpOutbox(spool, systemClock, systemTimers, systemRandom, log, {
    ...{ url, deliveriesMax: 2, silenceMs: 5_000, firstRetryMs: 20, retryMsMax: 200, deliveryMs: 1e15 },
    ...options,
  });

interface Opened {
  readonly outbox: Outbox;
  readonly close: () => Promise<void>;
}

const OUTBOXES: Record<string, () => Promise<Opened>> = {
  memory: () => Promise.resolve({ outbox: new MemoryOutbox(), close: () => Promise.resolve() }),
  spool: async () => {
    const outbox = spoolOf();
    await outbox.start();
    return { outbox, close: () => Promise.resolve() };
  },
  SMTP: async () => {
    const server = new SmtpSample();
    await server.start();
    const outbox = smtpOf(spoolOf({ isDelivered: true }), server.url);
    await outbox.start();
    const close = async (): Promise<void> => {
      await outbox.close();
      await server.stop();
    };
    return { outbox, close };
  },
};

describe.each(Object.entries(OUTBOXES))('%s outbox', (_, open) => {
  let opened: Opened;
  let outbox: Outbox;

  beforeEach(async () => {
    opened = await open();
    outbox = opened.outbox;
  });

  afterEach(() => opened.close());

  it('gives back a message as it was added', async () => {
    const { message, ...mail } = sampleMail(1);
    await outbox.add({ ...mail, message });
    expect(await outbox.find('shop', mail.id)).toMatchObject({ ...mail, messageBytes: message.length });
    expect(await outbox.message('shop', mail.id)).toEqual(message);
  });

  it('lists the newest first, as many as wanted, of that app alone', async () => {
    for (const order of [3, 1, 2]) await outbox.add(sampleMail(order));
    await outbox.add(sampleMail(4, { appId: 'blog' }));
    expect((await outbox.list('shop', 10)).map(({ sentAtMs }) => sentAtMs)).toEqual([3, 2, 1]);
    expect((await outbox.list('shop', 2)).map(({ sentAtMs }) => sentAtMs)).toEqual([3, 2]);
    expect(await outbox.list('nobody', 2)).toEqual([]);
    expect(await outbox.find('blog', sampleMail(1).id)).toBeUndefined();
    expect(await outbox.message('blog', sampleMail(1).id)).toBeUndefined();
  });

  it('removes a message once', async () => {
    const mail = sampleMail(1);
    await outbox.add(mail);
    expect(await outbox.remove('blog', mail.id)).toBe(false);
    expect(await outbox.remove('shop', mail.id)).toBe(true);
    expect(await outbox.remove('shop', mail.id)).toBe(false);
    expect(await outbox.find('shop', mail.id)).toBeUndefined();
    expect(await outbox.list('shop', 10)).toEqual([]);
  });
});

describe('the spool', () => {
  it('finds everything again after a restart, privately on disk', async () => {
    const before = spoolOf();
    await before.start();
    await before.add(sampleMail(1));
    await before.add(sampleMail(2, { appId: 'blog' }));
    const after = spoolOf();
    expect(await after.start()).toEqual([]);
    expect((await after.list('shop', 10))[0]).toEqual((await before.list('shop', 10))[0]);
    expect((await after.message('blog', sampleMail(2).id))?.toString()).toContain('.Hello');
    for (const name of await readdir(join(directory, 'shop'))) {
      expect((await stat(join(directory, 'shop', name))).mode & 0o077, name).toBe(0);
    }
  });

  it('removes what a crash left half written, and knows no message of it', async () => {
    const before = spoolOf();
    await before.start();
    const kept = sampleMail(1);
    await before.add(kept);
    const folder = join(directory, 'shop');
    await writeFile(join(folder, '000000002-abababababab.eml'), 'whole, but its JSON never came');
    await writeFile(join(folder, '000000003-abababababab.eml.new'), 'half');
    await writeFile(join(folder, '000000004-abababababab.json.new'), '{');
    const after = spoolOf();
    await after.start();
    expect((await after.list('shop', 10)).map(({ id }) => id)).toEqual([kept.id]);
    expect((await readdir(folder)).sort()).toEqual([`${kept.id}.eml`, `${kept.id}.json`]);
  });

  it('leaves a damaged file alone and goes on with the others', async () => {
    const before = spoolOf();
    await before.start();
    await before.add(sampleMail(1));
    await before.add(sampleMail(2));
    const damaged = join(directory, 'shop', `${sampleMail(1).id}.json`);
    await writeFile(damaged, '{"format":1');
    const after = spoolOf();
    await after.start();
    expect((await after.list('shop', 10)).map(({ id }) => id)).toEqual([sampleMail(2).id]);
    expect(await readFile(damaged, 'utf8')).toBe('{"format":1');
    expect(log.lines.some(({ level }) => level === 'error')).toBe(true);
  });

  it('lets the oldest go when there are too many or they are too large', async () => {
    const byCount = spoolOf({ messagesMax: 3 });
    await byCount.start();
    for (const order of [1, 2, 3, 4, 5]) await byCount.add(sampleMail(order));
    expect((await byCount.list('shop', 10)).map(({ sentAtMs }) => sentAtMs)).toEqual([5, 4, 3]);
    expect((await readdir(join(directory, 'shop'))).length).toBe(6);
    const bySize = spoolOf({ bytesMax: 20_000 });
    await bySize.start();
    for (const order of [1, 2, 3]) await bySize.add(sampleMail(order, { appId: 'blog', message: Buffer.alloc(6_000) }));
    await bySize.add(sampleMail(4, { appId: 'blog', message: Buffer.alloc(9_000) }));
    expect((await bySize.list('blog', 10)).map(({ sentAtMs }) => sentAtMs)).toEqual([4, 3]);
    expect((await bySize.list('shop', 10)).length).toBe(3);
  });

  it('never lets go what is not delivered: it refuses instead', async () => {
    const spool = spoolOf({ messagesMax: 2, isDelivered: true });
    await spool.start();
    const delivered: MailDelivery = { state: 'sent', pending: [], attempts: 1, nextAttemptAtMs: 0, refusals: [] };
    await spool.add(sampleMail(1));
    await spool.add(sampleMail(2));
    await expect(spool.add(sampleMail(3))).rejects.toMatchObject({ code: 'MAIL_SPOOL_FULL' });
    await spool.settle('shop', sampleMail(2).id, delivered);
    await spool.add(sampleMail(3));
    expect((await spool.list('shop', 10)).map(({ sentAtMs }) => sentAtMs)).toEqual([3, 1]);
    await spool.add(sampleMail(4, { appId: 'blog' }));
    const after = spoolOf({ messagesMax: 2, isDelivered: true });
    expect((await after.start()).map(({ sentAtMs }) => sentAtMs)).toEqual([1, 3, 4]);
    await expect(after.add(sampleMail(5))).rejects.toMatchObject({ code: 'MAIL_SPOOL_FULL' });
    await expect(after.add(sampleMail(5, { appId: 'blog', message: Buffer.alloc(2_000_000) }))).rejects.toMatchObject({
      code: 'MAIL_SPOOL_FULL',
    });
  });

  it('does not bring back a message that was removed while its delivery was written down', async () => {
    const spool = spoolOf({ isDelivered: true });
    await spool.start();
    const mail = sampleMail(1);
    await spool.add(mail);
    const [removed, settled] = await Promise.all([
      spool.remove('shop', mail.id),
      spool.settle('shop', mail.id, { state: 'sent', pending: [], attempts: 1, nextAttemptAtMs: 0, refusals: [] }),
    ]);
    expect([removed, settled]).toEqual([true, false]);
    expect(await readdir(join(directory, 'shop'))).toEqual([]);
  });
});

describe('delivery over SMTP', () => {
  let server: SmtpSample;
  let outboxes: SmtpOutbox[];

  beforeEach(async () => {
    server = new SmtpSample();
    outboxes = [];
    await server.start();
  });

  afterEach(async () => {
    for (const outbox of outboxes) await outbox.close();
    await server.stop();
  });

  const open = async (options: Partial<SmtpOptions> = {}): Promise<SmtpOutbox> => {
    const outbox = smtpOf(spoolOf({ isDelivered: true }), server.url, options);
    outboxes.push(outbox);
    await outbox.start();
    return outbox;
  };
  const delivery = async (outbox: Outbox, order = 1): Promise<MailDelivery | undefined> =>
    (await outbox.find('shop', sampleMail(order).id))?.delivery;
  const untilState = (outbox: Outbox, state: MailDelivery['state'], order = 1) =>
    expect.poll(async () => (await delivery(outbox, order))?.state, WAIT).toBe(state);

  it('hands over the very message, to every recipient of the envelope', async () => {
    const outbox = await open();
    const mail = sampleMail(1, { envelope: { from: 'me@shop.localhost', to: ['ada@example.com', 'hidden@example.com'] } });
    await outbox.add(mail);
    await untilState(outbox, 'sent');
    expect(server.received).toEqual([{ from: 'me@shop.localhost', to: ['ada@example.com', 'hidden@example.com'], message: mail.message }]);
    expect(await delivery(outbox)).toMatchObject({ pending: [], attempts: 1, refusals: [] });
  });

  it('signs in', async () => {
    await server.stop();
    server.part = { login: { user: 'post', password: 'p@ss:wörd/' } };
    await server.start();
    const outbox = await open();
    await outbox.add(sampleMail(1));
    await untilState(outbox, 'sent');
  });

  it('tries again after a 4xx, for as long as it takes', async () => {
    let tries = 0;
    server.part = { onMessage: () => (++tries < 4 ? { code: 451, text: 'greylisted' } : undefined) };
    const outbox = await open();
    await outbox.add(sampleMail(1));
    await expect.poll(async () => (await delivery(outbox))?.problem, WAIT).toContain('greylisted');
    await untilState(outbox, 'sent');
    expect((await delivery(outbox))?.attempts).toBe(4);
    expect(server.received.length).toBe(1);
  });

  it('records a 5xx with the words of the server, once and for all', async () => {
    let tries = 0;
    server.part = {
      onMessage: () => {
        tries++;
        return { code: 554, text: 'no spam please' };
      },
    };
    const outbox = await open();
    await outbox.add(sampleMail(1));
    await untilState(outbox, 'failed');
    expect((await delivery(outbox))?.refusals.join()).toMatch(/554.*no spam please/);
    expect(tries).toBe(1);
  });

  it('deals with each recipient by itself: taken, refused, and later taken', async () => {
    let later = 0;
    server.part = {
      onRecipient: (address) => {
        if (address === 'never@example.com') return { code: 550, text: 'no such user' };
        if (address === 'later@example.com' && ++later < 3) return { code: 450, text: 'mailbox busy' };
        return undefined;
      },
    };
    const outbox = await open();
    const to = ['now@example.com', 'never@example.com', 'later@example.com'];
    await outbox.add(sampleMail(1, { envelope: { from: 'me@shop.localhost', to } }));
    await untilState(outbox, 'failed');
    expect(server.received.map((received) => received.to)).toEqual([['now@example.com'], ['later@example.com']]);
    expect((await delivery(outbox))?.refusals).toEqual([expect.stringMatching(/^never@example\.com: 550.*no such user/)]);
  });

  it('waits for a server that is down, and goes on after a restart of its own', async () => {
    await server.stop();
    const first = await open();
    await first.add(sampleMail(1));
    await expect.poll(async () => (await delivery(first))?.attempts ?? 0, WAIT).toBeGreaterThan(0);
    expect(await delivery(first)).toMatchObject({ state: 'queued', problem: expect.stringContaining('ECONNREFUSED') });
    await first.close();
    await server.start();
    const second = await open();
    await untilState(second, 'sent');
    expect(server.received.length).toBe(1);
  });

  it('ends in the middle of a conversation without harm: the message waits, and the next start delivers it', async () => {
    let stuck = 0;
    let isStuck = true;
    await server.stop();
    // A server that takes the connection and says nothing.
    const hole = createServer((socket) => {
      stuck++;
      socket.on('error', () => undefined);
      if (!isStuck) socket.destroy();
    });
    await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve));
    const { port } = hole.address() as { port: number };
    const first = smtpOf(spoolOf({ isDelivered: true }), `smtp://127.0.0.1:${port}`, { silenceMs: 600_000 });
    await first.start();
    await first.add(sampleMail(1));
    await expect.poll(() => stuck, WAIT).toBe(1);
    isStuck = false;
    await first.close();
    expect(await delivery(first)).toMatchObject({ state: 'queued', attempts: 0 });
    await new Promise((resolve) => hole.close(resolve));
    await server.start();
    const second = await open();
    await untilState(second, 'sent');
  });

  it('gives up when nobody took the message for too long', async () => {
    await server.stop();
    const outbox = await open({ deliveryMs: 0 });
    await outbox.add(sampleMail(1));
    await untilState(outbox, 'failed');
    expect((await delivery(outbox))?.refusals.join()).toContain('ECONNREFUSED');
  });

  it('does not blame a message for the wrong password of the operator, and keeps the password to itself', async () => {
    await server.stop();
    server.part = { login: { user: 'post', password: 'right' } };
    await server.start();
    const outbox = smtpOf(spoolOf({ isDelivered: true }), server.url.replace('right', 'S3cret-wrong'));
    outboxes.push(outbox);
    await outbox.start();
    await outbox.add(sampleMail(1));
    await expect.poll(async () => (await delivery(outbox))?.problem, WAIT).toContain('535');
    expect(await delivery(outbox)).toMatchObject({ state: 'queued' });
    expect(JSON.stringify([log.lines, await outbox.list('shop', 10)])).not.toContain('S3cret');
  });

  it('does not deliver what was deleted while it waited', async () => {
    await server.stop();
    const outbox = await open();
    await outbox.add(sampleMail(1));
    await expect.poll(async () => (await delivery(outbox))?.attempts ?? 0, WAIT).toBeGreaterThan(0);
    await outbox.remove('shop', sampleMail(1).id);
    await server.start();
    await outbox.add(sampleMail(2));
    await untilState(outbox, 'sent', 2);
    expect(server.received.map(({ message }) => message.toString())).toEqual([expect.stringContaining('Nr. 2')]);
  });

  it('delivers many, few at a time', async () => {
    const outbox = await open({ deliveriesMax: 3 });
    const orders = Array.from({ length: 20 }, (_, index) => index + 1);
    await Promise.all(orders.map((order) => outbox.add(sampleMail(order))));
    await expect.poll(async () => (await outbox.list('shop', 50)).filter((mail) => mail.delivery.state === 'sent').length, WAIT).toBe(20);
    expect(server.received.length).toBe(20);
  });
});
