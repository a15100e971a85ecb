import { type FileHandle, open, stat } from 'node:fs/promises';
import { type LogApi, type LogQuery } from '../../admin-console/ports.ts';
import { type LogRow } from '../../sdk/contract/admin/admin.ts';
import { checkAppId } from '../../sdk/contract/app-manifest/label.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { sleep, type Timers } from '../../sdk/support/clock.ts';
import { decodeLogRow, LOG_KINDS, logFilePath, type LogKind } from './log-store.ts';

const POLL_MS = 150;
const CHUNK_BYTES = 64 * 1024;
/** Of one file, between two rounds of a follower: a flood is read in rounds too. */
const ROUND_BYTES_MAX = 1024 * 1024;
const LINE_END = 10;

/** Where a follower stands in one kind of log: the file by its inode, since rotation renames it. */
interface Place {
  inode: number;
  offset: number;
}

type Wants = (row: LogRow) => boolean;

/** Reads what LogWriters of other processes wrote. */
export class LogReader implements LogApi {
  readonly #directory: string;
  readonly #timers: Timers;

  constructor(directory: string, timers: Timers) {
    this.#directory = directory;
    this.#timers = timers;
  }

  /** The newest `lines` rows by time, then, with `follow`, those that come, within 200 ms. Throws APP_ID_INVALID. */
  async *read(appId: string, query: LogQuery, { signal }: { readonly signal: AbortSignal }): AsyncIterable<LogRow> {
    checkAppId(appId);
    const kinds = LOG_KINDS.filter((kind) => query.source === 'all' || query.source === kind);
    const text = query.text?.toLowerCase() ?? '';
    const wants: Wants = (row) =>
      (query.service === undefined || row.service === query.service) &&
      (query.version === undefined || row.version === query.version) &&
      (text === '' || searchedText(row).toLowerCase().includes(text));
    const lines = Math.min(query.lines, LIMITS.logReadRowsMax);
    const places = new Map<LogKind, Place>();
    const newest: LogRow[] = [];
    for (const kind of kinds) {
      const place = await this.#end(appId, kind);
      places.set(kind, place);
      newest.push(...(await this.#newest(appId, kind, place, lines, wants)));
    }
    yield* byTime(newest).slice(Math.max(0, newest.length - lines));
    while (query.follow && !signal.aborted) {
      const rows: LogRow[] = [];
      for (const [kind, place] of places) rows.push(...(await this.#newSince(appId, kind, place)));
      yield* byTime(rows.filter(wants));
      if (rows.length === 0) await sleep(this.#timers, POLL_MS, { signal }).catch(() => undefined);
    }
  }

  async #end(appId: string, kind: LogKind): Promise<Place> {
    const entry = await statOrNone(logFilePath(this.#directory, appId, kind));
    return entry ? { inode: entry.ino, offset: entry.size } : { inode: 0, offset: 0 };
  }

  /** At most `count` wanted rows before `end`, oldest first; `end` is moved back to the last complete line. */
  async #newest(appId: string, kind: LogKind, end: Place, count: number, wants: Wants): Promise<LogRow[]> {
    const rows: LogRow[] = [];
    for (let age = 0; age <= LIMITS.logFilesMax; age++) {
      const file = await openOrNone(logFilePath(this.#directory, appId, kind, age));
      if (!file) {
        if (age > 0) break;
        continue;
      }
      try {
        const bytes = age === 0 ? end.offset : (await file.stat()).size;
        const lines = linesBackwards(file, bytes);
        const unfinished = await lines.next();
        if (age === 0) end.offset -= Buffer.byteLength(unfinished.done === true ? '' : unfinished.value);
        if (count === 0) break;
        for await (const line of lines) {
          const row = decodeLogRow(line);
          if (row && wants(row)) rows.push(row);
          if (rows.length >= count) return rows.reverse();
        }
      } finally {
        await file.close();
      }
    }
    return rows.reverse();
  }

  /** Rows of complete lines behind `place`, which is moved on. */
  async #newSince(appId: string, kind: LogKind, place: Place): Promise<LogRow[]> {
    const path = (age: number): string => logFilePath(this.#directory, appId, kind, age);
    const current = await statOrNone(path(0));
    if (current && place.inode === 0) place.inode = current.ino;
    const age = current?.ino === place.inode ? 0 : await this.#ageOf(place.inode, path);
    // Rotated away altogether: go on with the newest file.
    if (age === undefined) {
      if (!current) return [];
      place.inode = current.ino;
      place.offset = 0;
      return [];
    }
    const before = place.offset;
    const rows = await this.#linesFrom(path(age), place);
    if (place.offset === before && age > 0) {
      const next = await statOrNone(path(age - 1));
      if (next) Object.assign(place, { inode: next.ino, offset: 0 });
    }
    return rows;
  }

  async #ageOf(inode: number, path: (age: number) => string): Promise<number | undefined> {
    for (let age = 1; age <= LIMITS.logFilesMax; age++) if ((await statOrNone(path(age)))?.ino === inode) return age;
    return undefined;
  }

  async #linesFrom(path: string, place: Place): Promise<LogRow[]> {
    const file = await openOrNone(path);
    if (!file) return [];
    try {
      const { size, ino } = await file.stat();
      if (ino !== place.inode || size <= place.offset) return [];
      const buffer = Buffer.alloc(Math.min(size - place.offset, ROUND_BYTES_MAX));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, place.offset);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(LINE_END) + 1;
      // A line longer than a round is no row of ours: pass over it rather than wait for its end for ever.
      place.offset += end === 0 && bytesRead === ROUND_BYTES_MAX ? bytesRead : end;
      const lines = buffer.toString('utf8', 0, end).split('\n');
      return lines.map(decodeLogRow).filter((row) => row !== undefined);
    } finally {
      await file.close();
    }
  }
}

/** The text behind the last line end (mostly empty), then each line from the last to the first. */
async function* linesBackwards(file: FileHandle, bytes: number): AsyncGenerator<string, void, undefined> {
  // Pieces of the line whose start is not read yet, in file order.
  let tail: Buffer[] = [];
  for (let end = bytes; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = Buffer.alloc(end - start);
    await file.read(chunk, 0, chunk.length, start);
    let lineEnd = chunk.length;
    for (let at = chunk.lastIndexOf(LINE_END); at >= 0; at = at === 0 ? -1 : chunk.lastIndexOf(LINE_END, at - 1)) {
      yield Buffer.concat([chunk.subarray(at + 1, lineEnd), ...tail]).toString('utf8');
      tail = [];
      lineEnd = at;
    }
    tail.unshift(chunk.subarray(0, lineEnd));
    end = start;
  }
  yield Buffer.concat(tail).toString('utf8');
}

/** What a filter by text looks at. */
function searchedText(row: LogRow): string {
  if (row.kind === 'app') return row.text;
  return `${row.method} ${row.target} ${row.status} ${row.errorCode ?? ''} ${row.requestId}`;
}

function byTime(rows: readonly LogRow[]): LogRow[] {
  // Stable: rows of one file keep their order within a millisecond.
  return [...rows].sort((a, b) => a.atMs - b.atMs);
}

async function statOrNone(path: string): Promise<{ readonly ino: number; readonly size: number } | undefined> {
  return stat(path).catch(() => undefined);
}

async function openOrNone(path: string): Promise<FileHandle | undefined> {
  return open(path, 'r').catch(() => undefined);
}
