// The log of an app in the admin API: what its instances print, and one row for each request.
//
//   GET /apps/A/logs?PARAMETERS → newline-delimited LogLine, rows oldest first; open-ended with follow
//
//   lines=N            the newest N rows that fit (default 100)         follow=1  then those that come
//   source=app|request|all                                            marks=1   LogMark lines too
//   service=S version=V instance=I request=ID                         exactly these
//   severity=WARNING   this severity and above                        text=T    in any case of letters
//   regex=R            linear time: see docs/logs.md                  since=MS until=MS  milliseconds since 1970, until excluded
//   status=500|5xx|>=400, some of them with commas; path=/a* (* stands for anything); method=GET; latency=MS at least
//                      of requests, so that there are no other rows
//   before=CURSOR      what a `more` line said: the rows before those
//   after=CURSOR       what a `place` line said: follow from there, without rows from before

import { type ColdStart } from '../cold-start.ts';

/** Cloud Logging's, ascending. */
export const LOG_SEVERITIES = ['DEFAULT', 'DEBUG', 'INFO', 'NOTICE', 'WARNING', 'ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY'] as const;
export type LogSeverity = (typeof LOG_SEVERITIES)[number];

interface LogRowPlace {
  /** Of a request when it came; of a line when it was printed. */
  readonly atMs: number;
  readonly service: string;
  readonly version: string;
}

/** One line that an instance printed; several lines where a stack trace was put together. */
export interface AppLogRow extends LogRowPlace {
  readonly kind: 'app';
  readonly instanceId: string;
  /** `system`: said by the platform about this instance. */
  readonly stream: 'stdout' | 'stderr' | 'system';
  /** Absent in rows of earlier releases. */
  readonly severity?: LogSeverity;
  /** Without line end and control characters; of a structured line its message, '' without one. */
  readonly text: string;
  /** The request that it was printed for, as far as the app says. */
  readonly requestId?: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** What else a structured line had. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** One request that reached an app, once it was answered. What is optional is absent in rows of earlier releases too. */
export interface RequestRow extends LogRowPlace {
  readonly kind: 'request';
  readonly instanceId?: string;
  readonly requestId: string;
  /** Of X-Cloud-Trace-Context; absent when it is the request's id. */
  readonly traceId?: string;
  readonly method: string;
  readonly host?: string;
  readonly target: string;
  /** 101 for a WebSocket; 499 when the client left before the answer. */
  readonly status: number;
  readonly latencyMs: number;
  /** Part of it that the request waited for an instance. */
  readonly pendingMs?: number;
  /** The app's CPU time that is put down to this request: an estimate, see docs/logs.md. */
  readonly cpuMs?: number;
  readonly requestBytes?: number;
  readonly responseBytes: number;
  readonly isLoadingRequest: boolean;
  /** Of an instance's first request. */
  readonly coldStart?: ColdStart;
  readonly clientAddress?: string;
  readonly userAgent?: string;
  readonly referrer?: string;
  /** How often it was given to another instance; absent: never. */
  readonly retries?: number;
  readonly errorCode?: string;
  /** Of a task or cron job. */
  readonly queueName?: string;
  readonly taskName?: string;
}

export type LogRow = AppLogRow | RequestRow;

/** Between rows, when asked for. */
export type LogMark =
  /** Reading stopped after its share of work: `before` this cursor there may be more. The last line. */
  | { readonly kind: 'more'; readonly cursor: string }
  /** All up to here was sent: a reader who lost the connection goes on `after` this cursor. */
  | { readonly kind: 'place'; readonly cursor: string };

export type LogLine = LogRow | LogMark;

/** A request's follows from its status, an app's line from what it says or from its stream. */
export function severityOf(row: LogRow): LogSeverity {
  if (row.kind === 'request') {
    if (row.status >= 500 || (row.errorCode !== undefined && row.status !== 499)) return 'ERROR';
    return row.status >= 400 ? 'WARNING' : 'INFO';
  }
  return row.severity ?? STREAM_SEVERITY[row.stream];
}

/** Of lines that do not say. */
export const STREAM_SEVERITY: Readonly<Record<AppLogRow['stream'], LogSeverity>> = { stdout: 'INFO', stderr: 'ERROR', system: 'WARNING' };

const RANK = Object.fromEntries(LOG_SEVERITIES.map((severity, rank) => [severity, rank])) as Readonly<Record<LogSeverity, number>>;

export function isAtLeast(row: LogRow, severity: LogSeverity): boolean {
  return RANK[severityOf(row)] >= RANK[severity];
}
