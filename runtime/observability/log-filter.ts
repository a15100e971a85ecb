// Which rows of a log somebody wants: a query compiled once, then asked for each row. Pure.
import { type LogQuery } from '../../admin-console/ports.ts';
import { type AppLogRow, isAtLeast, type LogRow, type RequestRow } from '../../sdk/contract/admin/logs.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { LOG_KINDS, type LogKind } from './log-store.ts';
import { LogPattern } from './log-pattern.ts';

type Test = (row: LogRow) => boolean;

export interface LogFilter {
  /** The kinds of rows that can fit at all. */
  readonly kinds: readonly LogKind[];
  readonly sinceMs: number;
  readonly untilMs: number;
  /** One of them stands in the line of every row that fits: a cheap look before a line is parsed. Empty: nobody knows. */
  readonly needles: readonly Buffer[];
  fits(row: LogRow): boolean;
}

/** How long after its answer a request's own lines are still looked for. */
const AFTERWARDS_MS = 60_000;

/**
 * With `asked`, the row of the request that the query names, an app's lines count as that request's only where it was, in
 * its time: what a line says of its request is the app's word. Throws INVALID_ARGUMENT naming the parameter.
 */
export function logFilter(query: LogQuery, asked?: RequestRow): LogFilter {
  const { service, version, instance, severity, text, regex, request, sinceMs = -Infinity, untilMs = Infinity } = query;
  const tests: Test[] = [];
  if (service !== undefined) tests.push((row) => row.service === service);
  if (version !== undefined) tests.push((row) => row.version === version);
  if (instance !== undefined) tests.push((row) => row.instanceId === instance);
  if (severity !== undefined && severity !== 'DEFAULT') tests.push((row) => isAtLeast(row, severity));
  if (sinceMs !== -Infinity || untilMs !== Infinity) tests.push((row) => row.atMs >= sinceMs && row.atMs < untilMs);
  const ids = request === undefined ? [] : [request, ...(asked?.traceId === undefined ? [] : [asked.traceId])];
  if (ids.length > 0) tests.push((row) => isOneOf(ids, row.requestId) || isOneOf(ids, row.traceId));
  if (asked) tests.push((row) => row.kind === 'request' || isWithin(row, asked));
  const ofRequests = requestTests(query);
  if (ofRequests.length > 0) tests.push((row) => row.kind === 'request' && ofRequests.every((test) => test(row)));
  const wanted = text?.toLowerCase() ?? '';
  if (wanted !== '') tests.push((row) => searchedText(row).toLowerCase().includes(wanted));
  if (regex !== undefined && regex !== '') {
    const pattern = new LogPattern(regex);
    tests.push((row) => pattern.isIn(searchedText(row)));
  }
  return {
    kinds: LOG_KINDS.filter((kind) => (query.source === 'all' || query.source === kind) && (kind === 'request' || ofRequests.length === 0)),
    ...{ sinceMs: asked ? Math.max(sinceMs, asked.atMs - LIMITS.logTimeSlackMs) : sinceMs, untilMs, needles: needlesOf(query, ids) },
    fits: (row) => tests.every((test) => test(row)),
  };
}

/** When it was written, about: rows of a file are in this order. */
export function writtenAtMs(row: LogRow): number {
  return row.kind === 'request' ? row.atMs + row.latencyMs : row.atMs;
}

function isOneOf(ids: readonly string[], id: string | undefined): boolean {
  return id !== undefined && ids.includes(id);
}

function isWithin(row: AppLogRow, { instanceId, retries, atMs, latencyMs }: RequestRow): boolean {
  const isThere = retries !== undefined || row.instanceId === instanceId;
  return isThere && row.atMs >= atMs - LIMITS.logTimeSlackMs && row.atMs <= atMs + latencyMs + AFTERWARDS_MS;
}

/** Ids and names stand in a line as they are, since none has a character that JSON escapes. The rarest kind alone. */
function needlesOf({ instance, version, service }: LogQuery, ids: readonly string[]): readonly Buffer[] {
  const other = [instance, version, service].find((each) => each !== undefined);
  const found = ids.length > 0 ? ids : other === undefined ? [] : [other];
  return found.every((each) => /^[\w.-]+$/.test(each)) ? found.map((each) => Buffer.from(`"${each}"`)) : [];
}

function requestTests({ status, path, method, latencyMsMin }: LogQuery): ((row: RequestRow) => boolean)[] {
  const tests: ((row: RequestRow) => boolean)[] = [];
  if (status !== undefined) tests.push(statusTest(status));
  if (path !== undefined) {
    const pattern = globPattern(path);
    tests.push(({ target }) => pattern(pathOf(target)));
  }
  if (method !== undefined) tests.push((row) => row.method === method.toUpperCase());
  if (latencyMsMin !== undefined) tests.push((row) => row.latencyMs >= latencyMsMin);
  return tests;
}

const STATUS = /^(?:(\d)xx|(>=|<=|>|<|)(\d{3}))$/;

/** `500`, `5xx`, `>=400`, or some of them with commas. */
function statusTest(text: string): (row: RequestRow) => boolean {
  const tests = text.split(',').map((part): ((status: number) => boolean) => {
    const [whole, hundreds, comparison, digits] = STATUS.exec(part.trim()) ?? [];
    if (whole === undefined) throw new PlatformError('INVALID_ARGUMENT', `"status": "${part}", want one such as 500, 5xx or >=400`);
    if (hundreds !== undefined) return (status) => Math.floor(status / 100) === Number(hundreds);
    const value = Number(digits);
    switch (comparison) {
      case '>=':
        return (status) => status >= value;
      case '<=':
        return (status) => status <= value;
      case '>':
        return (status) => status > value;
      case '<':
        return (status) => status < value;
      default:
        return (status) => status === value;
    }
  });
  return ({ status }) => tests.some((test) => test(status));
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** `*` stands for any text, also for none. Each part is looked for once, from left to right: no way back is needed. */
function globPattern(glob: string): (path: string) => boolean {
  const [first = '', ...rest] = glob.slice(0, LIMITS.logFilterCharactersMax).split('*');
  const last = rest.pop();
  if (last === undefined) return (path) => path === first;
  return (path) => {
    if (!path.startsWith(first)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = path.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return path.length - last.length >= at && path.endsWith(last);
  };
}

/** What a filter by text or pattern looks at. */
function searchedText(row: LogRow): string {
  if (row.kind === 'request') return `${row.method} ${row.target} ${row.status} ${row.errorCode ?? ''} ${row.requestId}`;
  if (row.fields === undefined && row.labels === undefined) return row.text;
  return `${row.text} ${JSON.stringify(row.labels ?? {})} ${JSON.stringify(row.fields ?? {})}`;
}
