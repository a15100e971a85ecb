import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { UsersClient } from './users.ts';

const users = new UsersClient({ call: () => Promise.reject(new Error('the headers are enough')) });
const headers = {
  'x-appengine-user-email': 'ada@example.com',
  'x-appengine-user-id': '112',
  'x-appengine-user-nickname': 'ada',
  'x-appengine-user-organization': '',
  'x-appengine-auth-domain': 'example.com',
  'x-appengine-user-is-admin': '1',
};
const nodeRequest = (given: Record<string, string>): IncomingMessage => {
  const request = new IncomingMessage(new Socket());
  Object.assign(request.headers, given);
  return request;
};

describe.each([
  ['node', nodeRequest],
  ['fetch', (given: Record<string, string>) => new Request('http://app/', { headers: given })],
])('a request of %s', (_, make) => {
  it('says who has signed in', () => {
    expect(users.currentUser(make(headers))).toEqual({
      email: 'ada@example.com',
      userId: '112',
      nickname: 'ada',
      authDomain: 'example.com',
      organization: '',
      isAdmin: true,
    });
    expect(users.currentUser(make({ ...headers, 'x-appengine-user-is-admin': '0' }))?.isAdmin).toBe(false);
  });

  it.each([
    ['no header', {}],
    ['empty headers', { 'x-appengine-user-email': '', 'x-appengine-user-id': '', 'x-appengine-user-is-admin': '0' }],
  ])('of nobody has %s', (_what, given) => {
    expect(users.currentUser(make(given))).toBeUndefined();
    expect(users.isAdmin(make(given))).toBe(false);
  });
});

it('may come as a plain object, with lists', () => {
  expect(users.currentUser({ headers: { ...headers, 'x-appengine-user-email': ['ada@example.com'] } })?.email).toBe('ada@example.com');
});
