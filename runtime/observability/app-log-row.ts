// One line of an app as a row of its log. A line that is one JSON object is read as Cloud Logging reads it: some of its
// fields have a meaning, the rest is kept. Pure, and total: whatever an app prints becomes a row.
// The fields: docs/logs.md, after https://cloud.google.com/logging/docs/structured-logging.
import { type AppLogRow, type LogSeverity, STREAM_SEVERITY } from '../../sdk/contract/admin/logs.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { parseTimestamp } from '../../sdk/contract/timestamp-text.ts';
import { type InstanceLogRow } from '../host/instance-log.ts';
import { harmlessText } from './harmless-text.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const TRACE_FIELD = 'logging.googleapis.com/trace';
const SPAN_FIELD = 'logging.googleapis.com/spanId';
const LABELS_FIELD = 'logging.googleapis.com/labels';
/** `projects/P/traces/T`, or T alone. */
const TRACE = /^(?:projects\/[^/]{1,100}\/traces\/)?([0-9A-Za-z_-]{1,64})$/;
const SPAN = /^[0-9A-Za-z]{1,32}$/;

const SEVERITY_WORDS: Readonly<Record<string, LogSeverity>> = {
  ...{ DEFAULT: 'DEFAULT', TRACE: 'DEBUG', VERBOSE: 'DEBUG', DEBUG: 'DEBUG', INFO: 'INFO', INFORMATION: 'INFO', NOTICE: 'NOTICE' },
  ...{ WARN: 'WARNING', WARNING: 'WARNING', ERR: 'ERROR', ERROR: 'ERROR', SEVERE: 'ERROR', CRIT: 'CRITICAL', CRITICAL: 'CRITICAL' },
  ...{ FATAL: 'CRITICAL', ALERT: 'ALERT', EMERG: 'EMERGENCY', EMERGENCY: 'EMERGENCY' },
};
/** Cloud Logging's numbers are hundreds, pino's and bunyan's are tens. */
const SEVERITY_NUMBERS: Readonly<Record<number, LogSeverity>> = {
  ...{
    0: 'DEFAULT',
    100: 'DEBUG',
    200: 'INFO',
    300: 'NOTICE',
    400: 'WARNING',
    500: 'ERROR',
    600: 'CRITICAL',
    700: 'ALERT',
    800: 'EMERGENCY',
  },
  ...{ 10: 'DEBUG', 20: 'DEBUG', 30: 'INFO', 40: 'WARNING', 50: 'ERROR', 60: 'CRITICAL' },
};
const MS_PER_SECOND = 1_000;
const NANOS_PER_MS = 1_000_000;
const MICROS_PER_MS = 1_000n;

/** A row for `line`, at the time that it came, or that it says itself when that is at most logTimeSlackMs earlier. */
export function appLogRow(line: InstanceLogRow): AppLogRow {
  const { atMs, service, version, instanceId, stream, text, requestId } = line;
  const object = stream === 'system' ? undefined : jsonObject(text);
  const row = { kind: 'app' as const, atMs, service, version, instanceId, stream, ...(requestId === undefined ? {} : { requestId }) };
  return { ...row, ...(object ? structured(object, line) : { severity: STREAM_SEVERITY[stream], text: harmlessText(text) }) };
}

function jsonObject(text: string): JsonObject | undefined {
  if (!text.startsWith('{') || !text.trimEnd().endsWith('}')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

type Structured = Pick<AppLogRow, 'atMs' | 'severity' | 'text' | 'traceId' | 'spanId' | 'labels' | 'fields'>;

function structured(object: JsonObject, line: InstanceLogRow): Structured {
  const left = new Map(Object.entries(object));
  const take = <T>(name: string, read: (value: unknown) => T | undefined): T | undefined => {
    const value = left.get(name);
    const found = value === undefined ? undefined : read(value);
    if (found !== undefined) left.delete(name);
    return found;
  };
  const severity = take('severity', severityOf) ?? take('level', severityOf) ?? STREAM_SEVERITY[line.stream];
  const text = take('message', textOf) ?? take('msg', textOf) ?? '';
  const traceId = take(TRACE_FIELD, (value) => (typeof value === 'string' ? TRACE.exec(value)?.[1] : undefined));
  const spanId = take(SPAN_FIELD, (value) => (typeof value === 'string' && SPAN.test(value) ? value : undefined));
  const labels = take(LABELS_FIELD, labelsOf);
  const within = (value: number | undefined): number | undefined =>
    value !== undefined && value <= line.atMs + LIMITS.logTimeSlackMs && value >= line.atMs - LIMITS.logTimeSlackMs
      ? Math.min(Math.floor(value), line.atMs)
      : undefined;
  const atMs = take('time', (value) => within(timeOf(value))) ?? take('timestamp', (value) => within(timeOf(value))) ?? line.atMs;
  return {
    ...{ atMs, severity, text },
    ...(traceId === undefined ? {} : { traceId }),
    ...(spanId === undefined ? {} : { spanId }),
    ...(labels === undefined ? {} : { labels }),
    ...(left.size === 0 ? {} : { fields: boundedObject(left, LIMITS.logFieldDepthMax) }),
  };
}

function severityOf(value: unknown): LogSeverity | undefined {
  if (typeof value === 'number') return SEVERITY_NUMBERS[value];
  return typeof value === 'string' && Object.hasOwn(SEVERITY_WORDS, value.toUpperCase()) ? SEVERITY_WORDS[value.toUpperCase()] : undefined;
}

/** Of text alone: anything else stays a field. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? harmlessText(value) : undefined;
}

/** RFC 3339 text, milliseconds, or `{ seconds, nanos }`. */
function timeOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') {
    const micros = parseTimestamp(value);
    return micros === undefined ? undefined : Number(micros / MICROS_PER_MS);
  }
  if (typeof value !== 'object' || value === null || !('seconds' in value)) return undefined;
  const nanos = 'nanos' in value ? Number(value.nanos) : 0;
  const ms = Number(value.seconds) * MS_PER_SECOND + nanos / NANOS_PER_MS;
  return Number.isFinite(ms) ? ms : undefined;
}

function labelsOf(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const kept = Object.entries(value).slice(0, LIMITS.logFieldsMax);
  return Object.fromEntries(
    kept.map(([name, label]) => [harmlessText(name), harmlessText(typeof label === 'string' ? label : JSON.stringify(label))]),
  );
}

/** At most logFieldsMax of its members, and nothing deeper than `depth`. */
function boundedObject(members: Iterable<readonly [string, unknown]>, depth: number): Record<string, unknown> {
  const kept: [string, unknown][] = [];
  for (const [name, value] of members) {
    if (kept.length >= LIMITS.logFieldsMax) break;
    kept.push([harmlessText(name), bounded(value, depth - 1)]);
  }
  return Object.fromEntries(kept);
}

const TOO_DEEP = '…';

function bounded(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return harmlessText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth <= 0) return TOO_DEEP;
  if (Array.isArray(value)) return value.slice(0, LIMITS.logFieldsMax).map((member) => bounded(member, depth - 1));
  return boundedObject(Object.entries(value), depth);
}
