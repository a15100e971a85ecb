// The meter of one role process: adds in memory, reports to the control role a few times a second.
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type UsageAmounts } from '../../sdk/contract/usage.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { type Cancel, type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type HostMeter } from '../api/usage-meter.ts';
import { Observations } from './observations.ts';
import { type Moment, SourceRows } from './source-rows.ts';
import { type AppObservations, USAGE_SERVICE, usageReply, type UsageReply, type UsageReport } from './usage-wire.ts';

/** Half of what may be lost when this process dies; an idle process says nothing but its heartbeat. */
const REPORT_MS = 250;
const HEARTBEAT_MS = 4_000;
const REPORT_DEADLINE_MS = 5_000;
/** The control role may be on its way down as well: what does not arrive then is persisted from its last report. */
const LAST_REPORT_DEADLINE_MS = 500;
const SOURCE_BYTES = 8;

export class BatchingUsageMeter implements HostMeter {
  readonly observations = new Observations();
  readonly #source: string;
  readonly #rpc: Rpc;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #rows = new SourceRows();
  #boot = '';
  #number = 0;
  /** Of the report that is not answered yet: they go with its number. */
  #sentObservations: readonly AppObservations[] = [];
  #reporting: Promise<void> | undefined;
  #reportedMs = -Infinity;
  #hasFailed = false;
  #cancel: Cancel = () => undefined;
  readonly #closing = new AbortController();

  /** `role` names the source, with a part of its own for this process. */
  constructor(role: string, rpc: Rpc, clock: Clock, timers: Timers, random: Random, log: Log) {
    this.#source = `${role}-${random.bytes(SOURCE_BYTES).toString('hex')}`;
    this.#rpc = rpc;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  start(): void {
    this.#cancel = this.#timers.every(REPORT_MS, () => {
      this.#rows.roll(this.#moment());
      const isDue = this.#clock.monotonicMs() - this.#reportedMs >= HEARTBEAT_MS;
      if (isDue || this.#rows.hasNews || !this.observations.isEmpty) void this.flush();
    });
  }

  /** Closes all rows and reports once more, for a moment. */
  async close(): Promise<void> {
    this.#cancel();
    // The control role may be gone already, and a report that is under way would wait for it.
    this.#closing.abort();
    await this.#reporting;
    this.#rows.closeAll();
    await this.#report(LAST_REPORT_DEADLINE_MS);
  }

  add(appId: string, amounts: UsageAmounts): void {
    this.#rows.add(appId, amounts, this.#moment());
  }

  running(appId: string, instances: number, memoryBytes: number): void {
    this.observations.running(appId, instances, memoryBytes);
  }

  /** Reports what is new now rather than soon. Never throws. */
  flush(): Promise<void> {
    this.#reporting ??= this.#report(REPORT_DEADLINE_MS, this.#closing.signal).finally(() => {
      this.#reporting = undefined;
    });
    return this.#reporting;
  }

  async #report(deadlineMs: number, signal?: AbortSignal): Promise<void> {
    for (let isFull = true; isFull;) {
      const rows = this.#rows.take(LIMITS.usageReportRowsMax);
      if (this.#sentObservations.length === 0) this.#sentObservations = this.observations.take();
      const report: UsageReport = { source: this.#source, number: this.#number, rows, observations: this.#sentObservations };
      try {
        const answer = await this.#rpc.call(USAGE_SERVICE, 'report', report, {
          deadlineMs,
          idempotent: true,
          ...(signal ? { signal } : {}),
        });
        this.#answered(usageReply.parse(answer));
      } catch (error) {
        this.#rows.putBack(rows);
        // Once an outage: the control role says by itself why it was away.
        if (!this.#hasFailed) this.#log.info('Usage cannot be reported for the moment; it is kept', { error });
        this.#hasFailed = true;
        return;
      }
      isFull = rows.length === LIMITS.usageReportRowsMax;
    }
  }

  #answered({ boot, dayEndsAtMs, settled }: UsageReply): void {
    this.#hasFailed = false;
    this.#number++;
    this.#sentObservations = [];
    this.#reportedMs = this.#clock.monotonicMs();
    const isAnother = this.#boot !== '' && this.#boot !== boot;
    this.#boot = boot;
    this.#rows.settle(settled, this.#moment());
    this.#rows.endDayAt(dayEndsAtMs);
    if (isAnother) this.#rows.putBackAll();
  }

  #moment(): Moment {
    return { nowMs: this.#clock.nowMs(), monotonicMs: this.#clock.monotonicMs() };
  }
}
