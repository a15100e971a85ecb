// Reads what LogWriters of other processes wrote: the newest rows that fit, found without an index by reading backwards, and
// those that come. Work is bounded: a reading that takes long says where to go on.
import { type LogApi, type LogQuery } from '../../admin-console/ports.ts';
import { type LogLine, type LogRow, type RequestRow } from '../../sdk/contract/admin/logs.ts';
import { checkAppId } from '../../sdk/contract/app-manifest/label.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { decodeCursor, encodeCursor, type LogPlace, type LogPlaces } from './log-cursor.ts';
import { LogFiles } from './log-files.ts';
import { type LogFilter, logFilter, writtenAtMs } from './log-filter.ts';
import { LogFollower } from './log-follower.ts';
import { LogScan } from './log-scan.ts';
import { type LogKind } from './log-store.ts';

const POLL_MS = 150;

interface Page {
  /** Newest first. */
  readonly rows: readonly LogRow[];
  /** Where to go on; undefined at the end of the log. */
  readonly rest: LogPlaces | undefined;
}

export class LogReader implements LogApi {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #timers: Timers;

  constructor(directory: string, clock: Clock, timers: Timers) {
    this.#directory = directory;
    this.#clock = clock;
    this.#timers = timers;
  }

  /** As LogApi says; rows that come are seen within 200 ms. Throws APP_ID_INVALID too. */
  read(appId: string, query: LogQuery, { signal }: { readonly signal: AbortSignal }): AsyncIterable<LogLine> {
    checkAppId(appId);
    const filter = logFilter(query);
    const before = query.before === undefined ? undefined : decodeCursor(query.before, 'before');
    const after = query.after === undefined ? undefined : decodeCursor(query.after, 'after');
    return this.#lines(appId, query, filter, { before, after, signal });
  }

  async *#lines(
    appId: string,
    query: LogQuery,
    filter: LogFilter,
    {
      before,
      after,
      signal,
    }: { readonly before: LogPlaces | undefined; readonly after: LogPlaces | undefined; readonly signal: AbortSignal },
  ): AsyncIterable<LogLine> {
    const files = new Map(filter.kinds.map((kind) => [kind, new LogFiles(this.#directory, appId, kind)]));
    const ends = after ?? (await endsOf(files));
    if (!after && query.lines > 0) {
      const page = await this.#page(files, query, filter, before ?? ends, signal);
      yield* byTime([...page.rows].reverse());
      if (query.marks && !query.follow && page.rest) yield { kind: 'more', cursor: encodeCursor(page.rest) };
    }
    if (!query.follow) return;
    const followers = new Map([...files].map(([kind, each]) => [kind, new LogFollower(each, ends.get(kind))]));
    const place = (): LogLine => ({ kind: 'place', cursor: encodeCursor(placesOf(followers)) });
    if (query.marks) yield place();
    while (!signal.aborted) {
      const rows: LogRow[] = [];
      for (const follower of followers.values()) rows.push(...(await follower.newRows()));
      yield* byTime(rows.filter((row) => filter.fits(row)));
      if (rows.length === 0) await sleep(this.#timers, POLL_MS, { signal }).catch(() => undefined);
      else if (query.marks) yield place();
    }
  }

  async #page(
    files: ReadonlyMap<LogKind, LogFiles>,
    query: LogQuery,
    filter: LogFilter,
    from: LogPlaces,
    signal: AbortSignal,
  ): Promise<Page> {
    const endMs = this.#clock.monotonicMs() + LIMITS.logScanMsMax;
    const asked = await this.#requestRow(files, query, endMs);
    const narrowed = asked ? logFilter(query, asked.row) : filter;
    const scans = new Map<LogKind, LogScan>();
    for (const [kind, each] of files) {
      const place = asked && kind === 'request' && query.before === undefined ? asked.behind : from.get(kind);
      if (place) scans.set(kind, new LogScan(each, narrowed, place));
    }
    try {
      const rows = await this.#merge([...scans.values()], Math.min(query.lines, LIMITS.logReadRowsMax), endMs, signal);
      const rest = [...scans].flatMap(([kind, scan]): [LogKind, LogPlace][] => (scan.rest ? [[kind, scan.rest]] : []));
      return { rows, rest: rest.length > 0 ? new Map(rest) : undefined };
    } finally {
      for (const scan of scans.values()) await scan.close();
    }
  }

  /** The newest `lines` rows of all scans, or as many as are found until `endMs` and within logReadBytesMax. */
  async #merge(scans: readonly LogScan[], lines: number, endMs: number, signal: AbortSignal): Promise<LogRow[]> {
    const rows: LogRow[] = [];
    for (let bytes = 0; rows.length < lines && bytes < LIMITS.logReadBytesMax && !signal.aborted;) {
      const hungry = scans.find((scan) => scan.head === undefined && !scan.isOver);
      if (hungry) {
        if (this.#clock.monotonicMs() > endMs) break;
        await hungry.more();
        continue;
      }
      const found = newest(scans)?.take();
      if (!found) break;
      rows.push(found.row);
      bytes += found.bytes;
    }
    return rows;
  }

  /** The row of the request that the query names by its own id, not by that of its trace. */
  async #requestRow(
    files: ReadonlyMap<LogKind, LogFiles>,
    { request }: LogQuery,
    endMs: number,
  ): Promise<{ readonly row: RequestRow; readonly behind: LogPlace } | undefined> {
    const requests = files.get('request');
    if (!requests || request === undefined) return undefined;
    const filter = logFilter({ lines: 1, follow: false, marks: false, source: 'request', request });
    const scan = new LogScan(requests, filter, await requests.end());
    try {
      while (!scan.head && !scan.isOver && this.#clock.monotonicMs() <= endMs) await scan.more();
      const found = scan.take();
      return found?.row.kind === 'request' && found.row.requestId === request ? { row: found.row, behind: found.behind } : undefined;
    } finally {
      await scan.close();
    }
  }
}

function newest(scans: readonly LogScan[]): LogScan | undefined {
  let found: LogScan | undefined;
  let atMs = -Infinity;
  for (const scan of scans) {
    if (!scan.head || writtenAtMs(scan.head) <= atMs) continue;
    found = scan;
    atMs = writtenAtMs(scan.head);
  }
  return found;
}

async function endsOf(files: ReadonlyMap<LogKind, LogFiles>): Promise<LogPlaces> {
  const ends = new Map<LogKind, LogPlace>();
  for (const [kind, each] of files) ends.set(kind, await each.end());
  return ends;
}

function placesOf(followers: ReadonlyMap<LogKind, LogFollower>): LogPlaces {
  return new Map([...followers].map(([kind, follower]) => [kind, follower.place]));
}

function byTime(rows: readonly LogRow[]): LogRow[] {
  // Stable: rows of one file keep their order within a millisecond; a request comes before what was printed for it.
  return [...rows].sort((a, b) => a.atMs - b.atMs || Number(b.kind === 'request') - Number(a.kind === 'request'));
}
