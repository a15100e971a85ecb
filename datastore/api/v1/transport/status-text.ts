// What an error says to clients of the public API. Where App Engine has a text, clients and their tests know it: it stands there
// alone, or begins the text.
import { type PlatformError } from '../../../../sdk/contract/errors.ts';

/** Rows of the table whose message only introduces what is wrong. */
const INTRODUCTIONS: readonly string[] = ['DS_INVALID', 'DS_LIMIT', 'INVALID_ARGUMENT'];

/** Of a failure of ours it says no more than that. */
export function statusText({ code, message, row }: PlatformError): string {
  if (row.grpc === 'INTERNAL') return row.message;
  // What this port itself refuses is nobody else's text, and says how to mend it.
  if (code.startsWith('V1_')) return `${message}. ${row.mend}`;
  const introduction = `${row.message}: `;
  if (!message.startsWith(introduction)) return message;
  if (INTRODUCTIONS.includes(code)) return message.slice(introduction.length);
  return code === 'GQL_SYNTAX' ? `GQL query error: ${message.slice(introduction.length)}` : message;
}
