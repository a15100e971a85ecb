// What every PasswordHash keeps to.
import { describe, expect, it } from 'vitest';
import { Argon2PasswordHash } from '../../runtime/backends/password-hash-argon2.ts';
import { PlainPasswordHash } from '../../runtime/backends/password-hash-plain.ts';

describe.each([
  ['argon2id', new Argon2PasswordHash()],
  ['plain', new PlainPasswordHash()],
])('%s', (_, passwords) => {
  it('knows the password again and no other', async () => {
    const hash = await passwords.hash('difference engine ü');
    expect(await passwords.verify(hash, 'difference engine ü')).toBe(true);
    for (const wrong of ['', 'difference engine', 'difference engine ü ', 'Difference engine ü']) {
      expect(await passwords.verify(hash, wrong), wrong).toBe(false);
    }
  });
});

it('argon2id says its parameters, has a salt of its own each time, and does not hold the password', async () => {
  const passwords = new Argon2PasswordHash();
  const [one, other] = [await passwords.hash('difference'), await passwords.hash('difference')];
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(one).not.toBe(other);
  expect(one).not.toContain('difference');
});
