// Enforcement: who is over quota as the control role last said. While that is away its last word stays in force until the
// quota resets, and whoever was within its quotas goes on: an outage of the control role stops no app.
import { type AppGate, type ExceededQuota } from '../../router/ports.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type UsageResource } from '../../sdk/contract/usage.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { followFeed } from '../../sdk/contract/wire/feed.ts';
import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type QuotaGate } from '../api/usage-meter.ts';
import { quotaStates, USAGE_SERVICE } from './usage-wire.ts';

/** Without any of these no request is served; of any other only the calls fail. App Engine's split (reference, section 4.5). */
export const SERVING_RESOURCES: readonly UsageResource[] = [
  'cpuMegacycles',
  'requests',
  'incomingBytes',
  'outgoingBytes',
  'instanceSeconds',
];

export class FollowedQuotaGate implements QuotaGate, AppGate {
  readonly #rpc: Rpc;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #abort = new AbortController();
  #exceeded: ReadonlyMap<string, readonly ExceededQuota[]> = new Map();

  /** `rpc` reaches the control role. */
  constructor(rpc: Rpc, clock: Clock, timers: Timers, log: Log) {
    this.#rpc = rpc;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  start(): void {
    void followFeed(
      this.#rpc,
      { service: USAGE_SERVICE, method: 'watchQuotas' },
      {
        onEvent: (event) => {
          this.#onEvent(event);
        },
        onBroken: (error) => {
          this.#log.info('The feed of quotas broke off; what it said last stays in force', { error });
        },
      },
      this.#timers,
      this.#abort,
    );
  }

  close(): void {
    this.#abort.abort(new PlatformError('CANCELLED'));
  }

  check(appId: string, resource: UsageResource): void {
    if (this.#exceeded.size === 0) return;
    const found = this.#exceeded.get(appId)?.find((quota) => quota.resource === resource);
    if (found) this.#refuse(found);
  }

  admit(appId: string): void {
    if (this.#exceeded.size === 0) return;
    const found = this.#servingQuota(appId);
    if (found) this.#refuse(found);
  }

  /** Whether `admit` would throw. */
  isRefused(appId: string): boolean {
    const found = this.#servingQuota(appId);
    return found !== undefined && this.#clock.nowMs() < found.resetsAtMs;
  }

  #servingQuota(appId: string): ExceededQuota | undefined {
    return this.#exceeded.get(appId)?.find((quota) => SERVING_RESOURCES.includes(quota.resource));
  }

  /** Unless it should have reset by now: then nobody was there to say so. */
  #refuse(quota: ExceededQuota): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs < quota.resetsAtMs) throw quotaError(quota, nowMs);
  }

  #onEvent(payload: unknown): void {
    const { apps } = quotaStates.parse(payload);
    this.#exceeded = new Map(apps.map(({ appId, exceeded }) => [appId, exceeded]));
  }
}

const MS_PER_SECOND = 1_000;

export function quotaError(quota: ExceededQuota, nowMs: number): PlatformError {
  const { resource, title, reason, used, limit, usedText, limitText, resetsAtMs } = quota;
  const resetsAt = `${new Date(resetsAtMs).toISOString().slice(0, 19)}Z`;
  const retryAfterSeconds = Math.max(1, Math.ceil((resetsAtMs - nowMs) / MS_PER_SECOND));
  return new PlatformError('QUOTA_EXCEEDED', `${title}: ${usedText} of ${limitText}; it resets at ${resetsAt}`, {
    details: { resource, quota: title, reason, used, limit, usedText, limitText, resetsAtMs, resetsAt, retryAfterSeconds },
  });
}
