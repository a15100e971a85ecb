import { expect, it } from 'vitest';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { toStoreError, verdictOf } from './postgres-error.ts';

const failure = (message: string, more: object = {}): Error => Object.assign(new Error(message), more);

it.each([
  ['a serialisation failure', failure('could not serialize access', { code: '40001' }), 'again', 'DS_OVERLOADED'],
  ['a deadlock', failure('deadlock detected', { code: '40P01' }), 'again', 'DS_OVERLOADED'],
  ['a server that stops', failure('terminating connection', { code: '57P01' }), 'reconnect', 'STORE_UNREACHABLE'],
  ['a server that starts', failure('starting up', { code: '57P03' }), 'reconnect', 'STORE_UNREACHABLE'],
  ['a broken connection', failure('Connection terminated unexpectedly'), 'reconnect', 'STORE_UNREACHABLE'],
  ['a system call of five letters', failure('broken pipe', { code: 'EPIPE', syscall: 'write' }), 'reconnect', 'STORE_UNREACHABLE'],
  ['a refused port', failure('', { code: 'ECONNREFUSED' }), 'reconnect', 'STORE_UNREACHABLE'],
  ['a wrong password', failure('password authentication failed', { code: '28P01' }), 'refused', 'STORE_REFUSED'],
  ['an untrusted certificate', failure('self-signed certificate', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'refused', 'STORE_REFUSED'],
  ['a server without TLS', failure('The server does not support SSL connections'), 'refused', 'STORE_REFUSED'],
  ['a lost lease', failure('division by zero', { code: '22012' }), 'fenced', 'STORE_HELD'],
  ['a full disk', failure('could not extend file', { code: '53100' }), 'fatal', 'INTERNAL'],
  ['a programming error of ours', new TypeError('x is not a function'), 'fatal', 'INTERNAL'],
])('%s is told apart', (_, error, verdict, code) => {
  expect(verdictOf(error)).toBe(verdict);
  expect(toStoreError(error, 'db:5432/d')).toMatchObject({ code, cause: error });
  expect(toStoreError(error, 'db:5432/d').message).toContain('db:5432/d: ');
});

it('keeps what is an error of the platform already', () => {
  const error = new PlatformError('DS_CLOSED');
  expect(toStoreError(error, 'db')).toBe(error);
  expect(verdictOf(error)).toBe('fatal');
});
