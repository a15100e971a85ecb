// `appengine logs tail`: rows as they come, one line each.
import { type LogRow } from '../contract/admin/admin.ts';
import { PlatformError } from '../contract/errors.ts';
import { type CommandContext } from './command-context.ts';
import { type Terminal, withoutControl } from './terminal.ts';

export interface LogFlags {
  readonly app: string;
  readonly lines: string;
  readonly follow: boolean;
  readonly source: string;
  readonly service?: string;
  readonly version?: string;
  readonly text?: string;
}

const SOURCES = ['app', 'request', 'all'];

/** Ends with the log when not following, else when the signal aborts. With --json each row is one line of JSON. */
export async function tailLogs(flags: LogFlags, { client, terminal, json, signal }: CommandContext): Promise<void> {
  if (!/^\d{1,5}$/.test(flags.lines)) throw new PlatformError('USAGE', `--lines is "${flags.lines}", want a number`);
  if (!SOURCES.includes(flags.source)) throw new PlatformError('USAGE', `--source is "${flags.source}", want one of ${SOURCES.join(', ')}`);
  const query = new URLSearchParams({ lines: flags.lines, source: flags.source });
  if (flags.follow) query.set('follow', '1');
  if (flags.service !== undefined) query.set('service', flags.service);
  if (flags.version !== undefined) query.set('version', flags.version);
  if (flags.text !== undefined) query.set('text', flags.text);
  try {
    for await (const row of client.lines<LogRow>('GET', `/apps/${encodeURIComponent(flags.app)}/logs?${query.toString()}`, { signal })) {
      terminal.print(json ? JSON.stringify(row) : formatLogRow(row, terminal));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

export function formatLogRow(row: LogRow, terminal: Terminal): string {
  const { dim, red, yellow, green } = terminal.outColours;
  const place = `${row.service}/${row.version}${row.instanceId === undefined ? '' : ` ${row.instanceId}`}`;
  const head = dim(`${new Date(row.atMs).toISOString()} ${place}`);
  if (row.kind === 'app') {
    const text = withoutControl(row.text);
    return `${head} ${row.stream === 'stdout' ? text : row.stream === 'stderr' ? red(text) : yellow(text)}`;
  }
  const colour = row.status >= 500 ? red : row.status >= 400 ? yellow : green;
  const notes = `${row.isLoadingRequest ? ' loading' : ''}${row.errorCode === undefined ? '' : ` ${row.errorCode}`}`;
  return `${head} ${colour(String(row.status))} ${row.method} ${withoutControl(row.target)} ${Math.round(row.latencyMs)} ms ${row.responseBytes} B${notes}`;
}
