import { expect, it } from 'vitest';
import { type Session, SessionTokens } from './session-token.ts';

const key = Buffer.alloc(32, 7);
const tokens = new SessionTokens(key);
const session: Session = { userId: '12345', email: 'ada@example.com', isAdmin: true, epoch: 3, expiresAtMs: 2_000 };
const token = tokens.seal('shop', session);

it('opens what it sealed, until it expires', () => {
  expect(tokens.open('shop', token, 1_999)).toEqual(session);
  expect(tokens.open('shop', token, 2_000)).toBeUndefined();
});

it('is cookie-safe and short', () => {
  expect(token).toMatch(/^[A-Za-z0-9._-]+$/);
  expect(tokens.seal('a'.repeat(30), { ...session, email: `${'e'.repeat(200)}@example.com` }).length).toBeLessThan(600);
});

it('opens no token of another app, of another key, or changed in any one character', () => {
  expect(tokens.open('blog', token, 0)).toBeUndefined();
  expect(new SessionTokens(Buffer.alloc(32, 8)).open('shop', token, 0)).toBeUndefined();
  for (let at = 0; at < token.length - 1; at++) {
    const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
    expect(tokens.open('shop', changed, 0), `character ${at}`).toBeUndefined();
  }
});

const [, claims = '', mac = ''] = token.split('.');
it.each([
  ['', 'empty'],
  [`v1.${claims}.`, 'unsigned'],
  [`v1.${claims}`, 'without a signature'],
  [`v1..${mac}`, 'without claims'],
  [`v2.${claims}.${mac}`, 'of another form'],
  [`v1.${claims}.${mac}A`, 'too long'],
  [`v1.${claims}.${mac.slice(1)}`, 'too short'],
  [`${token}\n`, 'with a line end'],
  [`v1.${Buffer.from('{"u":"1"}').toString('base64url')}.${mac}`, 'with the claims of somebody else'],
  [`v1.${'A'.repeat(100_000)}.${mac}`, 'of 100 kB'],
])('opens no token %#', (forged) => {
  expect(tokens.open('shop', forged, 0)).toBeUndefined();
});
