// Security 71 and its neighbours: an instance that speaks the wire itself and sends mail that no SDK would.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MemoryOutbox } from '../../runtime/backends/mail-memory.ts';
import { OPEN_GATE, MemoryUsageMeter } from '../../runtime/api/usage-meter.ts';
import { NO_ADMINISTRATORS } from '../../runtime/services/mail/mail-sender.ts';
import { type Outbox } from '../../runtime/services/mail/outbox.ts';
import { mailApi } from '../../runtime/services/mail/mail.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { MAIL_EXTENSIONS_FORBIDDEN } from '../../sdk/contract/services/mail.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemRandom } from '../../sdk/support/clock.ts';
import { ServiceSocket } from '../contract/service-socket.ts';

const outbox = new MemoryOutbox();
let sockets: ServiceSocket;
let rpc: Rpc;
let refusals: number;

beforeAll(async () => {
  const administrators = { administratorsOf: (appId: string) => Promise.resolve(appId === 'shop' ? ['boss@example.com'] : []) };
  const senders = { domain: 'localhost', senders: ['news@example.com'], administrators };
  const parts = { outbox, senders, meter: new MemoryUsageMeter(), gate: OPEN_GATE, clock: systemClock, random: systemRandom };
  sockets = await ServiceSocket.open([mailApi(parts)]);
  rpc = await sockets.connect('shop');
});

afterAll(() => sockets.close());

beforeEach(() => {
  refusals = 0;
});

const message = {
  ...{ from: 'me@shop.localhost', to: ['bob@example.com'], cc: [], bcc: [], subject: 'Hello', text: 'Hi' },
  ...{ attachments: [] as unknown[], headers: {} },
};

async function refused(fields: object, code: string): Promise<void> {
  await expect(rpc.call('mail', 'send', { ...message, ...fields }), JSON.stringify(fields).slice(0, 200)).rejects.toMatchObject({ code });
  refusals++;
  expect(await outbox.list('shop', 10)).toEqual([]);
}

describe('71: header injection', () => {
  const breaks = ['\r\n', '\n', '\r', '\u2028', '\u0085', '\0', '\u000b'];

  test('a line break in any part of a header is an error', async () => {
    for (const line of breaks) {
      const evil = `${line}Bcc: victim@example.com`;
      await refused({ subject: `Hello${evil}` }, 'MAIL_INVALID');
      await refused({ from: `me@shop.localhost${evil}` }, 'MAIL_ADDRESS_INVALID');
      await refused({ from: `"Me${evil}" <me@shop.localhost>` }, 'MAIL_ADDRESS_INVALID');
      for (const field of ['to', 'cc', 'bcc']) await refused({ [field]: [`Bob${evil} <bob@example.com>`] }, 'MAIL_ADDRESS_INVALID');
      await refused({ replyTo: `bob@example.com${evil}` }, 'MAIL_ADDRESS_INVALID');
      await refused({ headers: { References: `<a@b>${evil}` } }, 'MAIL_INVALID');
      await refused({ headers: { [`List-Id${line}Bcc`]: 'victim@example.com' } }, 'MAIL_INVALID');
      const file = { name: 'a.txt', content: Buffer.from('x') };
      await refused({ attachments: [{ ...file, name: `a${evil}.txt` }] }, 'MAIL_INVALID');
      await refused({ attachments: [{ ...file, contentType: `text/plain${evil}` }] }, 'MAIL_INVALID');
      await refused({ attachments: [{ ...file, contentId: `id${evil}` }] }, 'MAIL_INVALID');
    }
    expect(refusals).toBe(breaks.length * 12);
  });

  test.each([
    ['a header of the platform', { headers: { Bcc: 'victim@example.com' } }],
    ['another sender', { headers: { Sender: 'boss@example.com' } }],
    ['a MIME header', { headers: { 'Content-Type': 'text/html' } }],
    ['a header of no name', { headers: { '': 'x' } }],
    ['a header twice', { headers: { 'List-Id': 'a', 'list-id': 'b' } }],
    ['__proto__', { headers: JSON.parse('{"__proto__": "x"}') as object }],
    ['a content type with parameters', { attachments: [{ name: 'a', content: Buffer.from('x'), contentType: 'text/html; charset="' }] }],
    ['a name that leaves its directory', { attachments: [{ name: '../../etc/passwd', content: Buffer.from('x') }] }],
    ['no subject', { subject: '   ' }],
  ])('%s is refused', async (_, fields) => {
    await expect(rpc.call('mail', 'send', { ...message, ...fields })).rejects.toMatchObject({
      code: expect.stringMatching(/^(MAIL_INVALID|INVALID_ARGUMENT)$/),
    });
    expect(await outbox.list('shop', 10)).toEqual([]);
  });
});

test('a message without a body is refused', async () => {
  const { from, to, cc, bcc, subject, attachments, headers } = message;
  const payload = { from, to, cc, bcc, subject, attachments, headers };
  await expect(rpc.call('mail', 'send', payload)).rejects.toMatchObject({ code: 'MAIL_INVALID' });
});

describe('71: recipients', () => {
  test('10,000 of them are an error, in any field', async () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `r${index}@example.com`);
    for (const field of ['to', 'cc', 'bcc']) await refused({ [field]: many }, 'MAIL_TOO_LARGE');
  });

  test('one more than the limit, shared between the fields, is an error', async () => {
    const half = Array.from({ length: LIMITS.mailRecipientsMax / 2 }, (_, index) => `r${index}@example.com`);
    await refused({ to: half, cc: half, bcc: ['one@example.com'] }, 'MAIL_TOO_LARGE');
  });

  test('none is an error', async () => {
    await refused({ to: [] }, 'MAIL_NO_RECIPIENT');
    const other = await sockets.connect('blog');
    const { from, subject, text, attachments, headers } = message;
    await expect(other.call('mail', 'sendToAdmins', { from, subject, text, attachments, headers })).rejects.toMatchObject({
      code: 'MAIL_NO_RECIPIENT',
    });
  });

  test.each([
    'a@example.com, b@example.com',
    'a@example.com; b@example.com',
    'Team: a@example.com, b@example.com;',
    'a@example.com b@example.com',
    '<a@example.com> <b@example.com>',
    'Bob <a@example.com>, c@example.com',
    'Bob, Jr <a@example.com>',
    'b@example.com <a@example.com>',
    '"a@evil.com,"@example.com',
    '"quoted"@example.com',
    'a@b@example.com',
    'a@',
    '@example.com',
    'example.com',
    '',
    'a@-example.com',
    'a@exam ple.com',
    'a..b@example.com',
    '.a@example.com',
    'a@[127.0.0.1]',
    `${'a'.repeat(65)}@example.com`,
    `a@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(60)}.example.com`,
    `${'n'.repeat(1_000)} <a@example.com>`,
    'a@example.com>',
    '"Bob" Smith <a@example.com>',
    'Bob" <a@example.com>',
    '=?utf-8?q?=0d=0aBcc=3a?= a@example.com',
  ])('"%s" is no address', async (address) => {
    await refused({ to: [address] }, 'MAIL_ADDRESS_INVALID');
  });
});

describe('71: a spoofed sender', () => {
  test.each([
    'boss@example.org',
    'me@localhost',
    'me@blog.localhost',
    'me@shop.localhost.example.com',
    'me@sub.shop.localhost',
    'me@xshop.localhost',
    'news@example.com.evil.com',
    'me@shop.localhost@example.com',
    'me@shop.lоcalhost', // a Cyrillic o
    '"me@shop.localhost" <boss@example.org>',
  ])('%s is refused', async (from) => {
    await expect(rpc.call('mail', 'send', { ...message, from })).rejects.toMatchObject({
      code: expect.stringMatching(/^MAIL_(SENDER_REFUSED|ADDRESS_INVALID)$/),
    });
    expect(await outbox.list('shop', 10)).toEqual([]);
  });

  test('the administrator of one app is nobody in another', async () => {
    const other = await sockets.connect('forum');
    await expect(other.call('mail', 'send', { ...message, from: 'boss@example.com' })).rejects.toMatchObject({
      code: 'MAIL_SENDER_REFUSED',
    });
  });
});

describe('71: attachments that would be run', () => {
  const named = (name: string) => refused({ attachments: [{ name, content: Buffer.from('x') }] }, 'MAIL_INVALID');

  test('every extension of the list is refused, in disguise too', async () => {
    for (const extension of MAIL_EXTENSIONS_FORBIDDEN) {
      await named(`file.${extension}`);
      await named(`file.${extension.toUpperCase()}`);
    }
    for (const name of ['invoice.pdf.exe', 'a.exe.', 'a.exe . ', 'a.exe::$DATA', 'fdp.\u202eexe', 'a.e\u200bxe', '.exe']) await named(name);
  });

  test('too many or too large ones are refused', async () => {
    const file = (bytes: number) => ({ name: 'a.bin', content: Buffer.alloc(bytes) });
    await refused({ attachments: Array.from({ length: LIMITS.mailAttachmentsMax + 1 }, () => file(1)) }, 'MAIL_TOO_LARGE');
    await refused({ attachments: [file(6_000_000), file(5_000_000)] }, 'MAIL_TOO_LARGE');
    await refused({ text: 'x'.repeat(LIMITS.mailBytesMax + 1) }, 'MAIL_TOO_LARGE');
    await refused({ subject: 'x'.repeat(LIMITS.mailHeaderBytesMax + 1) }, 'MAIL_TOO_LARGE');
  });

  test('a path or an address for content is no content', async () => {
    for (const source of [{ path: '/etc/passwd' }, { href: 'http://127.0.0.1/' }, { bytes: '/etc/passwd' }]) {
      await refused({ attachments: [{ name: 'a.txt', ...source }] }, 'INVALID_ARGUMENT');
    }
    await refused({ html: { path: '/etc/passwd' } }, 'INVALID_ARGUMENT');
  });
});

test('an app cannot have messages of more than its share under way; another app does not notice', async () => {
  const releases: (() => void)[] = [];
  const held: Outbox = Object.assign(new MemoryOutbox(), { add: () => new Promise<void>((resolve) => releases.push(resolve)) });
  const senders = { domain: 'localhost', senders: [], administrators: NO_ADMINISTRATORS };
  const parts = { outbox: held, senders, meter: new MemoryUsageMeter(), gate: OPEN_GATE, clock: systemClock, random: systemRandom };
  const own = await ServiceSocket.open([mailApi(parts)]);
  try {
    const [shop, blog] = [await own.connect('shop'), await own.connect('blog')];
    const large = { ...message, attachments: [{ name: 'a.bin', content: Buffer.alloc(9_000_000) }] };
    const calls = [1, 2, 3].map(() => shop.call('mail', 'send', large));
    await expect.poll(() => releases.length, { timeout: 20_000 }).toBe(3);
    await expect(shop.call('mail', 'send', large)).rejects.toMatchObject({ code: 'RPC_OVERLOADED' });
    calls.push(blog.call('mail', 'send', { ...large, from: 'me@blog.localhost' }), shop.call('mail', 'send', message));
    await expect.poll(() => releases.length, { timeout: 20_000 }).toBe(5);
    for (const release of releases) release();
    await Promise.all(calls);
    const again = shop.call('mail', 'send', large);
    await expect.poll(() => releases.length, { timeout: 20_000 }).toBe(6);
    releases.at(-1)?.();
    await again;
  } finally {
    await own.close();
  }
});
