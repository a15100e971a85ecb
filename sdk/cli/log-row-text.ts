// One row of a log as text for people.
import { type AppLogRow, type LogRow, type LogSeverity, type RequestRow, severityOf } from '../contract/admin/logs.ts';
import { type Terminal, withoutControl } from './terminal.ts';

export const LOG_FORMATS = ['short', 'full', 'combined'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

type Colour = (text: string) => string;

/** `short`: a line. `full`: with all that is known of the row. `combined`: as web servers log, requests alone have that form. */
export function formatLogRow(row: LogRow, format: LogFormat, terminal: Terminal): string {
  if (format === 'combined' && row.kind === 'request') return combined(row);
  const { dim } = terminal.outColours;
  const place = `${row.service}/${row.version}${row.instanceId === undefined ? '' : ` ${row.instanceId}`}`;
  const head = dim(`${new Date(row.atMs).toISOString()} ${place}`);
  const body = row.kind === 'app' ? lineText(row, terminal) : requestText(row, terminal);
  const details = format === 'full' ? detailsOf(row) : '';
  return `${head} ${body}${details === '' ? '' : ` ${dim(details)}`}`;
}

/** Yellow from WARNING, red from ERROR, grey below INFO. */
export function severityColour(severity: LogSeverity, { outColours: { dim, yellow, red } }: Terminal): Colour {
  switch (severity) {
    case 'DEBUG':
      return dim;
    case 'WARNING':
      return yellow;
    case 'ERROR':
    case 'CRITICAL':
    case 'ALERT':
    case 'EMERGENCY':
      return red;
    default:
      return (text) => text;
  }
}

function lineText(row: AppLogRow, terminal: Terminal): string {
  const colour = row.stream === 'system' ? terminal.outColours.yellow : severityColour(severityOf(row), terminal);
  const [first = '', ...rest] = withoutControl(row.text).split('\n');
  const fields = row.fields === undefined ? '' : withoutControl(JSON.stringify(row.fields));
  const text = [colour(first), ...(fields === '' ? [] : [terminal.outColours.dim(fields)])].filter((part) => part !== '').join(' ');
  return [text, ...rest.map((line) => `    ${colour(line)}`)].join('\n');
}

function requestText(row: RequestRow, { outColours: { red, yellow, green } }: Terminal): string {
  const colour = row.status >= 500 ? red : row.status >= 400 ? yellow : green;
  const cpu = row.cpuMs === undefined ? '' : ` cpu ${Math.round(row.cpuMs)} ms`;
  const notes = `${row.isLoadingRequest ? ' loading' : ''}${row.errorCode === undefined ? '' : ` ${row.errorCode}`}`;
  return `${colour(String(row.status))} ${row.method} ${withoutControl(row.target)} ${Math.round(row.latencyMs)} ms${cpu} ${row.responseBytes} B${notes}`;
}

const IN_THE_LINE = new Set([
  ...['kind', 'atMs', 'service', 'version', 'instanceId', 'text', 'fields', 'method', 'target', 'status'],
  ...['responseBytes', 'isLoadingRequest', 'errorCode', 'latencyMs', 'cpuMs'],
]);

/** As `name=value`, what the line does not say. */
function detailsOf(row: LogRow): string {
  const values: readonly (readonly [string, unknown])[] = Object.entries(row).filter(([name]) => !IN_THE_LINE.has(name));
  return values.map(([name, value]) => `${name}=${withoutControl(typeof value === 'string' ? value : JSON.stringify(value))}`).join(' ');
}

/** Apache's combined form, with what App Engine's request log has behind it. */
function combined(row: RequestRow): string {
  const quoted = (text: string | undefined): string => (text === undefined ? '"-"' : `"${withoutControl(text).replaceAll('"', '\\"')}"`);
  const time = new Date(row.atMs).toUTCString().replace(/^\w+, (\d+) (\w+) (\d+) ([\d:]+) GMT$/, '$1/$2/$3:$4 +0000');
  const extras = [
    `ms=${Math.round(row.latencyMs)}`,
    ...(row.cpuMs === undefined ? [] : [`cpu_ms=${Math.round(row.cpuMs)}`]),
    ...(row.pendingMs === undefined || row.pendingMs < 1 ? [] : [`pending_ms=${Math.round(row.pendingMs)}`]),
    ...(row.queueName === undefined ? [] : [`queue_name=${withoutControl(row.queueName)}`]),
    ...(row.taskName === undefined ? [] : [`task_name=${withoutControl(row.taskName)}`]),
    ...(row.isLoadingRequest ? ['loading_request=1'] : []),
    ...(row.instanceId === undefined ? [] : [`instance=${row.instanceId}`]),
    `version=${row.service}:${row.version}`,
    `request_id=${row.requestId}`,
  ];
  const line = `${row.method} ${withoutControl(row.target)} HTTP/1.1`.replaceAll('"', '%22');
  return `${row.clientAddress ?? '-'} - - [${time}] "${line}" ${row.status} ${row.responseBytes} ${quoted(row.referrer)} ${quoted(row.userAgent)} ${quoted(row.host)} ${extras.join(' ')}`;
}
