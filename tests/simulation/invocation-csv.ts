// Recorded traffic from a CSV file. Which of these it is, its first line says:
//
//   app,minute,count                     requests of each app in each minute; spread over it by chance
//   HashOwner,HashApp,HashFunction,Trigger,1,2,…   the same, a column for each minute: Azure Functions 2019
//   app,func,end_timestamp,duration      each request, in seconds: Azure Functions 2021
//   app,arrival_s[,service_ms]           each request, when it came and how long it takes
//
// Columns may come in any order, others are ignored. The first moment of the file becomes the beginning.
import { type Random } from '../../sdk/support/clock.ts';
import { type Arrival, type ServiceTime, type Traffic } from './traffic.ts';

export class CsvError extends Error {}

/** More than this takes minutes to simulate. */
const REQUESTS_MAX = 2_000_000;
const MINUTE_MS = 60_000;

/** A request whose time within its minute, or whose service time, chance decides. */
interface Recorded {
  readonly app: string;
  readonly atMs: number;
  /** Milliseconds over which `count` requests are spread. */
  readonly spreadMs: number;
  readonly count: number;
  readonly serviceMs?: number;
}

type Columns = ReadonlyMap<string, number>;
type RowReader = (cells: readonly string[], lineNumber: number) => readonly Recorded[];

/** Throws CsvError with the line and what it should hold. `serviceTime` is for files that do not say how long requests take. */
export function parseInvocationCsv(name: string, text: string, serviceTime: ServiceTime): Traffic {
  const lines = text.split(/\r?\n/);
  const header = (lines[0] ?? '').split(',').map((cell) => cell.trim());
  const readRow = readerOf(header, new Map(header.map((column, index) => [column.toLowerCase(), index])));
  const recorded: Recorded[] = [];
  let requests = 0;
  lines.forEach((line, index) => {
    if (index === 0 || line.trim() === '') return;
    for (const row of readRow(line.split(','), index + 1)) {
      recorded.push(row);
      requests += row.count;
      if (requests > REQUESTS_MAX) throw new CsvError(`Line ${index + 1}: more than ${REQUESTS_MAX} requests; cut the file down`);
    }
  });
  if (requests === 0) throw new CsvError('The file holds no request');
  const beginMs = recorded.reduce((least, { atMs }) => Math.min(least, atMs), Infinity);
  const endMs = recorded.reduce((most, { atMs, spreadMs }) => Math.max(most, atMs + spreadMs), 0);
  return {
    name,
    durationMs: Math.max(1_000, endMs - beginMs),
    arrivals: (random) => arrivalsOf(recorded, beginMs, serviceTime, random),
  };
}

function arrivalsOf(recorded: readonly Recorded[], beginMs: number, serviceTime: ServiceTime, random: Random): readonly Arrival[] {
  const arrivals: Arrival[] = [];
  for (const { app, atMs, spreadMs, count, serviceMs } of recorded) {
    for (let request = 0; request < count; request++) {
      const offsetMs = spreadMs === 0 ? 0 : random.fraction() * spreadMs;
      arrivals.push({ app, atMs: atMs - beginMs + offsetMs, serviceMs: serviceMs ?? serviceTime(random) });
    }
  }
  return arrivals.sort((a, b) => a.atMs - b.atMs);
}

function readerOf(header: readonly string[], columns: Columns): RowReader {
  const has = (...names: readonly string[]): boolean => names.every((name) => columns.has(name));
  if (has('hashapp', '1')) return minuteColumns(header, columns);
  if (has('app', 'minute', 'count')) return minuteRows(columns);
  if (has('app', 'end_timestamp', 'duration')) return endedRequests(columns);
  if (has('app', 'arrival_s')) return arrivedRequests(columns);
  throw new CsvError(
    'Line 1: not a header known here. It must name app,minute,count or HashApp,1,2,… or app,end_timestamp,duration or app,arrival_s',
  );
}

function minuteColumns(header: readonly string[], columns: Columns): RowReader {
  const minutes = header.flatMap((column, index) => (/^\d+$/.test(column) ? [{ minute: Number(column), index }] : []));
  return (cells, lineNumber) => {
    const app = textIn(cells, columns, 'hashapp', lineNumber);
    return minutes.map(({ minute, index }) => minuteOf(app, minute, numberOf(cells[index], `minute ${minute}`, lineNumber)));
  };
}

function minuteRows(columns: Columns): RowReader {
  return (cells, lineNumber) => {
    const [minute, count] = [numberIn(cells, columns, 'minute', lineNumber), numberIn(cells, columns, 'count', lineNumber)];
    return [minuteOf(textIn(cells, columns, 'app', lineNumber), minute, count)];
  };
}

/** A minute counts for the length of the file even when nothing came in it. */
function minuteOf(app: string, minute: number, count: number): Recorded {
  return { app, atMs: minute * MINUTE_MS, spreadMs: MINUTE_MS, count: Math.round(count) };
}

function endedRequests(columns: Columns): RowReader {
  return (cells, lineNumber) => {
    const serviceMs = numberIn(cells, columns, 'duration', lineNumber) * 1_000;
    const endedMs = numberIn(cells, columns, 'end_timestamp', lineNumber) * 1_000;
    return [{ app: textIn(cells, columns, 'app', lineNumber), atMs: endedMs - serviceMs, spreadMs: 0, count: 1, serviceMs }];
  };
}

function arrivedRequests(columns: Columns): RowReader {
  return (cells, lineNumber) => {
    const atMs = numberIn(cells, columns, 'arrival_s', lineNumber) * 1_000;
    const service = columns.has('service_ms') ? { serviceMs: numberIn(cells, columns, 'service_ms', lineNumber) } : {};
    return [{ app: textIn(cells, columns, 'app', lineNumber), atMs, spreadMs: 0, count: 1, ...service }];
  };
}

function textIn(cells: readonly string[], columns: Columns, column: string, lineNumber: number): string {
  const text = (cells[columns.get(column) ?? -1] ?? '').trim();
  if (text === '') throw new CsvError(`Line ${lineNumber}: ${column} is empty`);
  return text;
}

function numberIn(cells: readonly string[], columns: Columns, column: string, lineNumber: number): number {
  return numberOf(cells[columns.get(column) ?? -1], column, lineNumber);
}

function numberOf(cell: string | undefined, column: string, lineNumber: number): number {
  const value = Number(cell?.trim() === '' ? Number.NaN : cell);
  if (!Number.isFinite(value) || value < 0)
    throw new CsvError(`Line ${lineNumber}: ${column} must be a number of 0 or more, found "${cell ?? ''}"`);
  return value;
}
