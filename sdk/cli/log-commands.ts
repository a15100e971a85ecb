// `appengine logs`: `read` asks for what there is and ends, `tail` goes on with rows as they come.
import { type Command } from 'commander';
import { LOG_SEVERITIES, type LogLine, type LogRow } from '../contract/admin/logs.ts';
import { type ErrorCode, PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { sleep } from '../support/clock.ts';
import { type CommandContext, type CommonFlags } from './command-context.ts';
import { type CommandMaker } from './command-maker.ts';
import { formatLogRow, LOG_FORMATS, type LogFormat } from './log-row-text.ts';
import { logTime } from './log-time.ts';

interface FilterFlags extends CommonFlags {
  readonly app: string;
  readonly source: string;
  readonly format: string;
  readonly service?: string;
  readonly version?: string;
  readonly instance?: string;
  readonly request?: string;
  readonly severity?: string;
  readonly text?: string;
  readonly regex?: string;
  readonly since?: string;
  readonly until?: string;
  readonly status?: string;
  readonly path?: string;
  readonly method?: string;
  readonly latency?: string;
}

interface ReadFlags extends FilterFlags {
  readonly limit: string;
  readonly order: string;
}

interface TailFlags extends FilterFlags {
  readonly lines: string;
  readonly follow: boolean;
}

const SOURCES = ['app', 'request', 'all'] as const;
const ORDERS = ['asc', 'desc'] as const;
const RECONNECT_MS_MIN = 250;
const RECONNECT_MS_MAX = 2_000;
/** The server restarts, or its control role does. */
const AWAY: readonly ErrorCode[] = ['SERVER_UNREACHABLE', 'RPC_CONNECTION_LOST', 'RPC_UNAVAILABLE'];

export function logCommands(program: Command, { command, asked }: CommandMaker): void {
  const logs = program.command('logs').description("an app's log: its requests, and what it prints");
  filtered(
    command(logs, 'read', 'print the newest rows that fit', [
      'logs read --app hello --since 1h --severity WARNING',
      'logs read --app hello --status 5xx,429 --path "/api/*" --latency 500',
      'logs read --app hello --request 5f0c…   (a request, and what was printed for it)',
      'logs read --app hello --regex "(?i)timeout|refused" --order desc --json',
    ]).option('--limit <number>', 'at most so many rows', '100'),
  )
    .option('--order <order>', 'asc, oldest first, or desc', 'asc')
    .action((flags: ReadFlags) => asked(flags, (context) => readLogs(flags, context)));
  filtered(
    command(logs, 'tail', 'print the newest rows, then follow', [
      'logs tail --app hello',
      'logs tail --app hello --lines 200 --no-follow',
      'logs tail --app hello --source request --status ">=500" --json',
      'logs tail --app hello --text "out of memory"',
    ]).option('--lines <number>', 'rows to begin with', '20'),
  )
    .option('--no-follow', 'end after them')
    .action((flags: TailFlags) => asked(flags, (context) => tailLogs(flags, context)));
}

function filtered(command: Command): Command {
  return command
    .requiredOption('--app <id>', 'the app')
    .option('--source <kind>', 'app (what it printed), request, or all', 'all')
    .option('--service <name>', 'only this service')
    .option('--version <name>', 'only this version')
    .option('--instance <id>', 'only this instance')
    .option('--request <id>', 'only this request, by its id or its trace, with what was printed for it')
    .option('--severity <severity>', `this severity and above: ${LOG_SEVERITIES.join(', ')}`)
    .option('--text <text>', 'only rows that contain this, in any case of letters')
    .option('--regex <pattern>', 'only rows in which this matches; (?i) before it: in any case of letters')
    .option('--since <time>', 'only rows from then on: 10m, 2h, 3d ago, or 2026-01-31T12:00:00Z')
    .option('--until <time>', 'only rows before then')
    .option('--status <status>', 'only requests with this status: 500, 5xx, ">=400", some of them with commas')
    .option('--path <path>', 'only requests of this path; * stands for anything, as in "/api/*"')
    .option('--method <method>', 'only requests with this method')
    .option('--latency <ms>', 'only requests that took at least so many milliseconds')
    .option('--format <format>', 'short, full (all that is known of a row), or combined (as web servers log)', 'short');
}

/** With --json each row is one line of JSON, here and below. */
async function readLogs(flags: ReadFlags, context: CommandContext): Promise<void> {
  const limit = wholeNumber('--limit', flags.limit);
  const order = oneOf('--order', flags.order, ORDERS);
  const print = printer(flags, context);
  const held: LogRow[] = [];
  let left = limit;
  let before: string | undefined;
  do {
    const query = queryOf(flags, context.clock.nowMs());
    query.set('lines', String(Math.min(left, LIMITS.logReadRowsMax)));
    query.set('marks', '1');
    if (before !== undefined) query.set('before', before);
    before = undefined;
    const page: LogRow[] = [];
    for await (const line of linesOf(flags.app, query, context)) {
      if (line.kind === 'more') before = line.cursor;
      else if (line.kind !== 'place') page.push(line);
    }
    left -= page.length;
    // Pages come newest first, each with its oldest row first.
    if (order === 'desc') page.reverse().forEach(print);
    else held.unshift(...page);
  } while (left > 0 && before !== undefined);
  held.forEach(print);
  if (before !== undefined) context.terminal.say(`There may be more than ${limit} rows: --limit or --until shows them.`);
}

/** Ends with the log when not following, else when the signal aborts; over restarts of the server no row is lost or printed twice. */
async function tailLogs(flags: TailFlags, context: CommandContext): Promise<void> {
  const print = printer(flags, context);
  const query = queryOf(flags, context.clock.nowMs());
  query.set('lines', String(wholeNumber('--lines', flags.lines)));
  if (!flags.follow) {
    for await (const line of linesOf(flags.app, query, context)) printRow(line, print);
    return;
  }
  query.set('follow', '1');
  query.set('marks', '1');
  await follow(flags.app, query, print, context);
}

/** Rows behind the last mark are held until the next one says that they are whole: what is printed is never sent again. */
async function follow(app: string, query: URLSearchParams, print: (row: LogRow) => void, context: CommandContext): Promise<void> {
  const { signal, timers, terminal } = context;
  let waitMs = RECONNECT_MS_MIN;
  let hasBegun = false;
  while (!signal.aborted) {
    let held: LogRow[] = [];
    try {
      for await (const line of linesOf(app, query, context)) {
        if (line.kind === 'place') {
          held.forEach(print);
          held = [];
          query.set('after', line.cursor);
          hasBegun = true;
          waitMs = RECONNECT_MS_MIN;
        } else if (line.kind !== 'more') held.push(line);
      }
    } catch (error) {
      const isAway = error instanceof PlatformError && AWAY.includes(error.code);
      if (!isAway || !hasBegun) throw error;
    }
    if (waitMs === RECONNECT_MS_MIN) terminal.say(terminal.errColours.dim('The server went away; going on when it is back …'));
    await sleep(timers, waitMs, { signal }).catch(() => undefined);
    waitMs = Math.min(waitMs * 2, RECONNECT_MS_MAX);
  }
}

async function* linesOf(app: string, query: URLSearchParams, { client, signal }: CommandContext): AsyncGenerator<LogLine> {
  const path = `/apps/${encodeURIComponent(app)}/logs?${query.toString()}`;
  try {
    yield* client.lines<LogLine>('GET', path, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function printer({ format: name }: FilterFlags, { terminal, json }: CommandContext): (row: LogRow) => void {
  const format: LogFormat = oneOf('--format', name, LOG_FORMATS);
  return (row) => {
    terminal.print(json ? JSON.stringify(row) : formatLogRow(row, format, terminal));
  };
}

function printRow(line: LogLine, print: (row: LogRow) => void): void {
  if (line.kind === 'app' || line.kind === 'request') print(line);
}

/** Throws USAGE; what only the server can judge, it does. */
function queryOf(flags: FilterFlags, nowMs: number): URLSearchParams {
  const query = new URLSearchParams({ source: oneOf('--source', flags.source, SOURCES) });
  for (const name of ['service', 'version', 'instance', 'request', 'text', 'regex', 'status', 'path', 'method'] as const) {
    const value = flags[name];
    if (value !== undefined) query.set(name, value);
  }
  const { severity, since, until, latency } = flags;
  if (severity !== undefined) query.set('severity', oneOf('--severity', severity.toUpperCase(), LOG_SEVERITIES));
  if (since !== undefined) query.set('since', String(logTime('--since', since, nowMs)));
  if (until !== undefined) query.set('until', String(logTime('--until', until, nowMs)));
  if (latency !== undefined) query.set('latency', String(wholeNumber('--latency', latency)));
  return query;
}

function wholeNumber(flag: string, text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new PlatformError('USAGE', `${flag} is "${text}", want a number`);
}

function oneOf<T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new PlatformError('USAGE', `${flag} is "${text}", want one of ${choices.join(', ')}`);
  return found;
}
