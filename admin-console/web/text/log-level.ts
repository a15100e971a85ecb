import { type LogRow } from '../../../sdk/contract/admin/logs.ts';

export type LogLevel = 'info' | 'warning' | 'error';

/** App Engine's log has no level of its own: a request's follows from its status, an app's line from its stream. */
export function levelOf(row: LogRow): LogLevel {
  if (row.kind === 'request') {
    if (row.status >= 500 || row.errorCode !== undefined) return 'error';
    return row.status >= 400 ? 'warning' : 'info';
  }
  return row.stream === 'stdout' ? 'info' : row.stream === 'stderr' ? 'error' : 'warning';
}

const RANK: Readonly<Record<LogLevel, number>> = { info: 0, warning: 1, error: 2 };

export const isAtLeast = (row: LogRow, level: LogLevel): boolean => RANK[levelOf(row)] >= RANK[level];

/** The row in one line. */
export function logLineText(row: LogRow): string {
  if (row.kind === 'app') return row.text;
  return `${row.method} ${row.target}${row.errorCode === undefined ? '' : ` ${row.errorCode}`}`;
}
