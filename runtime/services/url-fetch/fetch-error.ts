import { PlatformError, type ErrorCode } from '../../../sdk/contract/errors.ts';

/** What undici says, in the platform's codes. Its other errors are the network's. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  UND_ERR_CONNECT_TIMEOUT: 'FETCH_DEADLINE',
  UND_ERR_HEADERS_TIMEOUT: 'FETCH_DEADLINE',
  UND_ERR_BODY_TIMEOUT: 'FETCH_DEADLINE',
  UND_ERR_HEADERS_OVERFLOW: 'FETCH_TOO_LARGE',
  UND_ERR_INVALID_ARG: 'FETCH_INVALID',
  UND_ERR_NOT_SUPPORTED: 'FETCH_INVALID',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'FETCH_INVALID',
};

/** Any failure of a fetch as a FETCH_* error; what is a PlatformError already stays as it is. */
export function fetchError(thrown: unknown, hostname: string): PlatformError {
  if (thrown instanceof PlatformError) return thrown;
  const { code = '', message = String(thrown) } = thrown as { readonly code?: string; readonly message?: string };
  const { cause } = thrown as { readonly cause?: unknown };
  if (cause instanceof PlatformError) return cause;
  return new PlatformError(CODES[code] ?? 'FETCH_FAILED', `${hostname}: ${message}${code === '' ? '' : ` (${code})`}`, { cause: thrown });
}
