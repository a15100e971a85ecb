// What writes into the log store: the host for its instances, the router for its requests.
import { type RequestLogRow } from '../../router/ports.ts';
import { type ColdStart } from '../../sdk/contract/cold-start.ts';
import { type RequestRow } from '../../sdk/contract/admin/logs.ts';
import { type InstanceLogRow, type InstanceLogSink } from '../host/instance-log.ts';
import { appLogRow } from './app-log-row.ts';
import { type CpuRowSink } from './request-cpu.ts';
import { type LogWriter } from './log-store-writer.ts';

/** What instances print, into the log store. */
export class InstanceLogStore implements InstanceLogSink {
  readonly #writer: LogWriter;
  #dropped = 0;

  constructor(writer: LogWriter) {
    this.#writer = writer;
  }

  /** Lines that instances printed faster than they may. */
  get droppedLines(): number {
    return this.#dropped;
  }

  write(row: InstanceLogRow): void {
    this.#writer.write(row.appId, appLogRow(row));
  }

  dropped(_appId: string, lines: number): void {
    this.#dropped += lines;
  }
}

/** One row for each request, into the log store; requests that reached no app have none. */
export class RequestLogStore implements CpuRowSink {
  readonly #writer: LogWriter;

  constructor(writer: LogWriter) {
    this.#writer = writer;
  }

  write(row: RequestLogRow, cpuMs?: number): void {
    if (row.appId !== '') this.#writer.write(row.appId, requestRow(row, cpuMs));
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A row is written for each request: what is not there takes no room. */
function requestRow(row: RequestLogRow, cpuMs: number | undefined): RequestRow {
  const { service, version, requestId, method, host, target, status, latencyMs, requestBytes, responseBytes, isLoadingRequest } = row;
  const stored: Writable<RequestRow> = {
    ...{ kind: 'request', atMs: row.startedAtMs, service, version, requestId, method, host, target, status },
    ...{ latencyMs: rounded(latencyMs), pendingMs: rounded(row.pendingMs), requestBytes, responseBytes, isLoadingRequest },
    clientAddress: row.clientAddress,
  };
  if (row.instanceId !== undefined) stored.instanceId = row.instanceId;
  if (cpuMs !== undefined) stored.cpuMs = cpuMs;
  if (row.coldStart !== undefined) stored.coldStart = roundedPhases(row.coldStart);
  if (row.traceId !== undefined && row.traceId !== requestId) stored.traceId = row.traceId;
  if (row.userAgent !== undefined) stored.userAgent = row.userAgent;
  if (row.referrer !== undefined) stored.referrer = row.referrer;
  if (row.retries > 0) stored.retries = row.retries;
  if (row.errorCode !== undefined) stored.errorCode = row.errorCode;
  if (row.queueName !== undefined) stored.queueName = row.queueName;
  if (row.taskName !== undefined) stored.taskName = row.taskName;
  return stored;
}

const MICROSECONDS = 1_000;

function rounded(ms: number): number {
  return Math.round(ms * MICROSECONDS) / MICROSECONDS;
}

function roundedPhases(phases: ColdStart): ColdStart {
  return Object.fromEntries(Object.entries(phases).map(([phase, ms]) => [phase, rounded(Number(ms))]));
}
