import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mailboxText, parseMailbox } from './mail-address.ts';

test.each([
  ['ada@example.com', '', 'ada@example.com'],
  ['  <ada@Example.COM> ', '', 'ada@example.com'],
  ['Ada <ada@example.com>', 'Ada', 'ada@example.com'],
  ['Jörg Müller <j.müller@example.com>', undefined, undefined],
  ['Jörg Müller <jm@müller.example>', 'Jörg Müller', 'jm@xn--mller-kva.example'],
  ['"Lovelace, \\"Ada\\" \\\\ <x@y>" <Ada+x@example.com>', 'Lovelace, "Ada" \\ <x@y>', 'Ada+x@example.com'],
  ["O'Neil <o'neil@example.com>", "O'Neil", "o'neil@example.com"],
])('%s', (text, name, address) => {
  if (address === undefined) expect(() => parseMailbox(text, 'to')).toThrow(expect.objectContaining({ code: 'MAIL_ADDRESS_INVALID' }));
  else expect(parseMailbox(text, 'to')).toEqual({ name, address });
});

test('any name is written so that it is read back, and never becomes another address', () => {
  const name = fc.string({ unit: 'grapheme-ascii', maxLength: 60 }).map((text) => text.trim());
  fc.assert(
    fc.property(name, (text) => {
      expect(parseMailbox(mailboxText({ name: text, address: 'ada@example.com' }), 'to')).toEqual({
        name: text,
        address: 'ada@example.com',
      });
    }),
  );
});
