import { expect, it } from 'vitest';
import { normalEmail } from './email-address.ts';

it.each([
  ['ada@example.com', 'ada@example.com'],
  [' Ada.Lovelace+x@Example.COM ', 'ada.lovelace+x@example.com'],
  ['root@localhost', 'root@localhost'],
])('reads %j as %s', (text, email) => {
  expect(normalEmail(text)).toBe(email);
});

it.each(['', 'ada', '@example.com', 'ada@', 'a b@example.com', 'ada@exa mple.com', 'ada@-x.com', 'ada@x..com', 'ädä@example.com'])(
  'refuses %j',
  (text) => {
    expect(normalEmail(text)).toBeUndefined();
  },
);

it('refuses what would break out of a header or is too long', () => {
  expect(normalEmail('ada@example.com\r\nx: y')).toBeUndefined();
  expect(normalEmail(`ada@${'a.'.repeat(130)}com`)).toBeUndefined();
});
