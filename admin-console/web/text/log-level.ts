import { isAtLeast, type LogRow } from '../../../sdk/contract/admin/logs.ts';

export type LogLevel = 'info' | 'warning' | 'error';

/** For its colour. */
export function levelOf(row: LogRow): LogLevel {
  if (isAtLeast(row, 'ERROR')) return 'error';
  return isAtLeast(row, 'WARNING') ? 'warning' : 'info';
}

/** The row in one line. */
export function logLineText(row: LogRow): string {
  if (row.kind === 'app') return row.fields === undefined ? row.text : `${row.text} ${JSON.stringify(row.fields)}`;
  return `${row.method} ${row.target}${row.errorCode === undefined ? '' : ` ${row.errorCode}`}`;
}
