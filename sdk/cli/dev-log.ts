// The log of an app in `appengine dev`: what it prints and what it is asked, a short line each.
import { type LogRow } from '../contract/admin/logs.ts';
import { sleep } from '../support/clock.ts';
import { type CommandContext } from './command-context.ts';
import { type Terminal, withoutControl } from './terminal.ts';

const RETRY_MS = 500;

/** Until the signal aborts; a stream that breaks off is begun again. */
export async function followLog(app: string, { client, terminal, timers, signal }: CommandContext): Promise<void> {
  while (!signal.aborted) {
    try {
      const rows = client.lines<LogRow>('GET', `/apps/${app}/logs?follow=1&lines=0&source=all`, { signal });
      for await (const row of rows) terminal.print(formatDevRow(row, terminal));
    } catch {
      // The platform restarts a part of itself, or ends.
    }
    await sleep(timers, RETRY_MS, { signal }).catch(() => undefined);
  }
}

export function formatDevRow(row: LogRow, { outColours: { dim, red, yellow, green } }: Terminal): string {
  const time = dim(new Date(row.atMs).toTimeString().slice(0, 8));
  if (row.kind === 'app') {
    const text = withoutControl(row.text);
    return `${time} ${dim('|')} ${row.stream === 'stdout' ? text : row.stream === 'stderr' ? red(text) : yellow(text)}`;
  }
  const colour = row.status >= 500 ? red : row.status >= 400 ? yellow : green;
  const notes = `${row.isLoadingRequest ? ' loading' : ''}${row.errorCode === undefined ? '' : ` ${row.errorCode}`}`;
  return `${time} ${colour(String(row.status))} ${row.method} ${withoutControl(row.target)} ${dim(`${Math.round(row.latencyMs)} ms${notes}`)}`;
}
