// What the server's and the network's errors mean for us, and how they are told to people.
// Words: https://www.postgresql.org/docs/current/errcodes-appendix.html (CockroachDB and YugabyteDB use the same).
import { PlatformError } from '../../sdk/contract/errors.ts';

/**
 * again: nothing happened, the same may succeed now. reconnect: the connection is gone, and with it perhaps the outcome.
 * refused: no use without somebody's hand. fenced: another process holds the store. fatal: everything else.
 */
export type Verdict = 'again' | 'reconnect' | 'refused' | 'fenced' | 'fatal';

/** Division by zero: how a statement that must not go on without the lease fails (postgres-lease.ts). */
const FENCED = '22012';
// Serialisation failure, deadlock, unknown completion, lock not available, cancelled by a time limit.
const AGAIN = new Set(['40001', '40P01', '40003', '55P03', '57014']);
// Shut down, crashed, starting up, idle too long (twice), too many connections, a replica meanwhile, a forgotten statement.
const RECONNECT = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '53300', '25006', '26000']);
// Password or role, certificate, database, schema, privilege.
const REFUSED = /^28|^(?:3D000|3F000|42501)$/;
const CONNECTION_CLASS = /^08/;
const TLS = /CERT|^ERR_TLS|^ERR_SSL/;
const SQL_STATE = /^[0-9A-Z]{5}$/;

export function verdictOf(error: unknown): Verdict {
  const state = sqlState(error);
  if (state === undefined) {
    if (error instanceof PlatformError) return error.code === 'STORE_UNREACHABLE' ? 'reconnect' : 'fatal';
    // A bug of ours would be tried again for nothing, and then blamed on the network.
    if (error instanceof TypeError || error instanceof RangeError) return 'fatal';
    return isAboutTls(error) ? 'refused' : 'reconnect';
  }
  if (state === FENCED) return 'fenced';
  if (AGAIN.has(state)) return 'again';
  if (RECONNECT.has(state) || CONNECTION_CLASS.test(state)) return 'reconnect';
  return REFUSED.test(state) ? 'refused' : 'fatal';
}

/** A five-character code of the server's; undefined for what went wrong on the way to it. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error);
  // A failed system call has a code as well, and a syscall's name.
  return code !== undefined && SQL_STATE.test(code) && !(error instanceof Error && 'syscall' in error) ? code : undefined;
}

/** `server` says which, without its password. */
export function toStoreError(error: unknown, server: string): PlatformError {
  if (error instanceof PlatformError) return error;
  const said = error instanceof Error && error.message !== '' ? error.message : (codeOf(error) ?? String(error));
  const reason = `${server}: ${said}`;
  switch (verdictOf(error)) {
    case 'again':
      return new PlatformError('DS_OVERLOADED', reason, { cause: error });
    case 'reconnect':
      return new PlatformError('STORE_UNREACHABLE', reason, { cause: error });
    case 'refused':
      return new PlatformError('STORE_REFUSED', reason, { cause: error });
    case 'fenced':
      return new PlatformError('STORE_HELD', reason, { cause: error });
    case 'fatal':
      return new PlatformError('INTERNAL', reason, { cause: error });
  }
}

function isAboutTls(error: unknown): boolean {
  return TLS.test(codeOf(error) ?? '') || (error instanceof Error && error.message.includes('SSL'));
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
