// `appengine mail …` against the real console routes and viewer.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MemoryOutbox } from '../../runtime/backends/mail-memory.ts';
import { MailViewer } from '../../runtime/services/mail/mail-viewer.ts';
import { type ConsoleCommands, startConsoleCommands } from './console-commands.ts';
import { sampleMail } from './mail-sample.ts';

const outbox = new MemoryOutbox();
let appengine: ConsoleCommands;
const mail = (...words: string[]) => appengine.run('mail', ...words, '--app', 'shop');

beforeAll(async () => {
  appengine = await startConsoleCommands({ mail: new MailViewer(outbox) });
});

afterAll(() => appengine.close());

test('messages are listed, shown and deleted', async () => {
  expect(await mail('list')).toEqual({ code: 0, out: '', err: 'The app has sent no mail.\n' });
  const { id, content } = sampleMail(1);
  await outbox.add(sampleMail(1, { content: { ...content, subject: 'Evil \u001b[2J', text: 'Hällo\r\n\u001b]0;x' } }));
  expect((await mail('list')).out).toMatch(
    /^ID +SENT \(UTC\) +STATE +SIZE +TO +SUBJECT\n000000001-\w+ +1970-01-01 00:00:00 +spooled +\d+ B +ada@example.com +Evil \ufffd\[2J\n/,
  );
  expect(JSON.parse((await mail('list', '--json', '--limit', '5')).out)).toMatchObject({ messages: [{ id, state: 'spooled' }] });
  const shown = (await mail('show', id)).out;
  expect(shown).toContain(
    'From:     Me <me@shop.localhost>\nTo:       ada@example.com\nBcc:      hidden@example.com\nSubject:  Evil \ufffd[2J\n',
  );
  expect(shown).toMatch(/\n\nHällo\n\ufffd\]0;x\n$/);
  expect(JSON.parse((await mail('show', id, '--json')).out)).toMatchObject({ id, bcc: ['hidden@example.com'] });
  expect(await mail('delete', id)).toEqual({ code: 0, out: `Deleted message ${id}.\n`, err: '' });
  expect((await mail('delete', id, '--json')).err).toContain('MAIL_NOT_FOUND');
});

test('what is wrong is said', async () => {
  expect((await mail('list', '--limit', 'all')).err).toContain('--limit is "all"');
  expect((await mail('show', '../x')).err).toContain('MAIL_NOT_FOUND');
  expect((await appengine.run('mail', 'list', '--app', 'nobody')).err).toContain('APP_NOT_FOUND');
});
