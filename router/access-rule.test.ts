import { expect, it } from 'vitest';
import { accessRuleOf, decideAccess, type Visitor } from './access-rule.ts';

const user: Visitor = { userId: '1', email: 'ada@example.com', isAdmin: false };
const admin: Visitor = { ...user, isAdmin: true };
const script = { kind: 'script', url: '/.*' } as const;

it.each([
  ['optional', 'redirect', 'pass', 'pass', 'pass'],
  ['optional', 'unauthorized', 'pass', 'pass', 'pass'],
  ['required', 'redirect', 'login', 'pass', 'pass'],
  ['required', 'unauthorized', 'LOGIN_REQUIRED', 'pass', 'pass'],
  ['admin', 'redirect', 'login', 'ADMIN_REQUIRED', 'pass'],
  ['admin', 'unauthorized', 'LOGIN_REQUIRED', 'ADMIN_REQUIRED', 'pass'],
] as const)('login %s, %s: nobody %s, a user %s, an administrator %s', (login, authFailAction, nobody, asUser, asAdmin) => {
  const rule = accessRuleOf({ ...script, login, authFailAction });
  expect([undefined, user, admin].map((visitor) => decideAccess(rule, visitor, false))).toEqual([nobody, asUser, asAdmin]);
  expect(decideAccess(rule, undefined, true)).toBe('pass');
});

it('is open to anybody where the handler says nothing', () => {
  expect(accessRuleOf(script)).toBeUndefined();
  expect(decideAccess(undefined, undefined, false)).toBe('pass');
});
