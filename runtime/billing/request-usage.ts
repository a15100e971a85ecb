// What the router counts: every request that reached an app, once it is answered.
import { type RequestLogRow, type RequestLogSink } from '../../router/ports.ts';
import { type BatchingUsageMeter } from './batching-usage-meter.ts';

/** Counts each row, then hands it on. */
export class MeteredRequestLog implements RequestLogSink {
  readonly #next: RequestLogSink;
  readonly #meter: Pick<BatchingUsageMeter, 'add' | 'observations'>;

  constructor(next: RequestLogSink, meter: Pick<BatchingUsageMeter, 'add' | 'observations'>) {
    this.#next = next;
    this.#meter = meter;
  }

  write(row: RequestLogRow): void {
    this.#next.write(row);
    if (row.appId === '') return;
    this.#meter.observations.request(row.appId, row);
    // What was refused for a quota would only prolong that.
    if (row.errorCode === 'QUOTA_EXCEEDED') return;
    this.#meter.add(row.appId, { requests: 1, incomingBytes: row.requestBytes, outgoingBytes: row.responseBytes });
  }
}
