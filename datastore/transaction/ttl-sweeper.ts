// Deletes entities whose time has come, in the background. Their property's index rows are in the order of that time, so what
// has expired lies in one range of each namespace, and a round with nothing to delete reads hardly a row.
//
// Integers stand among the times, so what a row promises is looked up in the entity. A row that does not expire, an integer or a
// list, would be met again in every round: rows behind which nothing was found to delete are passed over for an hour.
//
// An entity is deleted at the version that was read: one whose time has been moved meanwhile stays. Otherwise it is a delete as
// any other: index rows, history, and the app's bill.
import { type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { encodeKey, decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Properties, type Value } from '../../sdk/contract/entity.ts';
import { PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { decodeEntityRow } from '../codec/entity-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { appPropertiesPrefix, entityRowKey, keyFromPath, type Partition, partitionOf, propertyPrefix } from '../codec/row-key.ts';
import { skipValue, writeValue } from '../codec/value-code.ts';
import { type SettingsCatalog, type TtlPolicy } from '../settings/settings-catalog.ts';
import { keyAfter, keyAfterPrefix, prefixRange } from '../storage/key-bytes.ts';
import { type KeyRange, type Store } from '../storage/port.ts';
import { type Committer } from './committer.ts';

const ROUND_EVERY_MS = 15_000;
/** Entities of one step, deleted in one commit; also bounds what is in memory. */
const STEP_ROWS = 50;
/** Of one round; what is left waits for the next one. */
const STEPS_PER_ROUND = 400;
const PASSED_OVER_MS = 3_600_000;
/** Namespaces whose passed-over rows are remembered; beyond, they are read again. */
const PASSED_OVER_MAX = 10_000;
const PAUSE_MS_MAX = 3_600_000;
const INTEGER_MIN = -(2n ** 63n);
const MICROS_PER_MS = 1_000n;

interface PassedOver {
  /** Rows of the range below this key do not expire. */
  readonly below: Buffer;
  readonly sinceMs: number;
}

interface Pause {
  readonly untilMs: number;
  readonly failures: number;
}

export class TtlSweeper {
  readonly #store: Store;
  readonly #settings: SettingsCatalog;
  readonly #committer: Committer;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #passedOver = new Map<string, PassedOver>();
  readonly #pauses = new Map<string, Pause>();
  #cancel: Cancel = () => undefined;
  #running: Promise<void> | undefined;
  #stopping = false;
  /** Ends the wait for a lock. */
  #closing = new AbortController();
  #stepsLeft = 0;
  /** A round that was cut short goes on behind this policy, */
  #behind: Buffer | undefined;
  /** and in its policy, by name, at this key. */
  readonly #resumeAt = new Map<string, Buffer>();

  constructor(store: Store, settings: SettingsCatalog, committer: Committer, clock: Clock, timers: Timers, log: Log) {
    this.#store = store;
    this.#settings = settings;
    this.#committer = committer;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  start(): void {
    this.#stopping = false;
    this.#closing = new AbortController();
    this.#cancel = this.#timers.every(ROUND_EVERY_MS, () => void this.sweep());
  }

  /** Stops after the step under way. */
  async close(): Promise<void> {
    this.#cancel();
    this.#stopping = true;
    this.#closing.abort();
    await this.#running;
  }

  /** What it remembers of rows is no longer so: they were wiped. */
  forget(): void {
    this.#passedOver.clear();
    this.#pauses.clear();
    this.#resumeAt.clear();
    this.#behind = undefined;
  }

  /** One round; one at a time. Never throws. */
  sweep(): Promise<void> {
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #round(): Promise<void> {
    this.#stepsLeft = STEPS_PER_ROUND;
    const resume = this.#behind;
    this.#behind = undefined;
    // From where the last round was cut short, and then what lies before: nobody waits for ever behind a busy app.
    for (const { appId, policy } of this.#inOrder(resume)) {
      if (this.#isDone) return;
      const pause = this.#pauses.get(appId);
      if (pause && this.#clock.monotonicMs() < pause.untilMs) continue;
      try {
        await this.#sweepPolicy(appId, policy);
        this.#pauses.delete(appId);
      } catch (error) {
        this.#pause(appId, policy, error);
      }
      if (this.#stepsLeft <= 0) this.#behind = orderOf(appId, policy);
    }
  }

  get #isDone(): boolean {
    return this.#stopping || this.#stepsLeft <= 0;
  }

  #inOrder(behind: Buffer | undefined): readonly { readonly appId: string; readonly policy: TtlPolicy }[] {
    const all = [...this.#settings.chosen()].flatMap(([appId, { ttl }]) => ttl.map((policy) => ({ appId, policy })));
    const ordered = all
      .map((one) => ({ ...one, order: orderOf(one.appId, one.policy) }))
      .sort((one, other) => Buffer.compare(one.order, other.order));
    const at = behind ? ordered.findIndex(({ order }) => Buffer.compare(order, behind) > 0) : 0;
    return at <= 0 ? ordered : [...ordered.slice(at), ...ordered.slice(0, at)];
  }

  #pause(appId: string, { kind }: TtlPolicy, error: unknown): void {
    if (this.#stopping || toPlatformError(error).code === 'DS_CLOSED') return;
    const failures = (this.#pauses.get(appId)?.failures ?? 0) + 1;
    const pauseMs = Math.min(PAUSE_MS_MAX, ROUND_EVERY_MS * 2 ** failures);
    this.#pauses.set(appId, { failures, untilMs: this.#clock.monotonicMs() + pauseMs });
    this.#log.error('Expired entities could not be deleted', { appId, kind, pauseMs, error: String(error) });
  }

  /** In every database and namespace of the app that has indexed properties. */
  async #sweepPolicy(appId: string, policy: TtlPolicy): Promise<void> {
    const { from: start, to } = prefixRange(appPropertiesPrefix(appId));
    const name = orderOf(appId, policy).toString('latin1');
    let from = this.#resumeAt.get(name) ?? start;
    this.#resumeAt.delete(name);
    while (this.#isInForce(appId, policy)) {
      if (this.#isDone) {
        this.#resumeAt.set(name, from);
        return;
      }
      this.#stepsLeft--;
      const [first] = await this.#keys({ from, to }, 1);
      if (!first) return;
      const reader = new OrderedReader(first, 1);
      const partition = partitionOf(reader.text(), reader.text(), reader.text());
      await this.#sweepPartition(partition, policy);
      from = keyAfterPrefix(partition.properties) ?? to;
    }
  }

  async #sweepPartition(partition: Partition, policy: TtlPolicy): Promise<void> {
    const nowMicros = BigInt(this.#clock.nowMs()) * MICROS_PER_MS;
    const prefix = propertyPrefix(partition, policy.kind, policy.property);
    const bound = (micros: bigint): Buffer =>
      Buffer.concat([prefix, writeValue(new OrderedWriter(), { kind: 'timestamp', micros }, partition.appId).take()]);
    const to = keyAfterPrefix(bound(nowMicros));
    if (!to) return;
    const name = prefix.toString('latin1');
    let from = this.#startIn(name) ?? bound(INTEGER_MIN);
    for (let hasOnlyPassed = true; !this.#isDone && this.#isInForce(partition.appId, policy);) {
      this.#stepsLeft--;
      const keys = await this.#keys({ from, to }, STEP_ROWS);
      const last = keys.at(-1);
      if (!last) return;
      const passed = await this.#deleteExpired(partition, policy, prefix, keys, nowMicros);
      from = keyAfter(last);
      // Only rows of which each was looked at and does not expire: where one is left that should go, the next round meets it again.
      hasOnlyPassed &&= passed !== 'left';
      if (hasOnlyPassed && passed === 'some') this.#pass(name, from);
      if (keys.length < STEP_ROWS) return;
    }
  }

  #startIn(name: string): Buffer | undefined {
    const passed = this.#passedOver.get(name);
    if (!passed) return undefined;
    if (this.#clock.monotonicMs() - passed.sinceMs < PASSED_OVER_MS) return passed.below;
    this.#passedOver.delete(name);
    return undefined;
  }

  #pass(name: string, below: Buffer): void {
    if (this.#passedOver.size >= PASSED_OVER_MAX && !this.#passedOver.has(name)) this.#passedOver.clear();
    this.#passedOver.set(name, { below, sinceMs: this.#passedOver.get(name)?.sinceMs ?? this.#clock.monotonicMs() });
  }

  /** `some`: some of the rows do not expire; `left`: one that does was kept from being deleted. */
  async #deleteExpired(
    partition: Partition,
    { property }: TtlPolicy,
    prefix: Buffer,
    rowKeys: readonly Buffer[],
    nowMicros: bigint,
  ): Promise<'none' | 'some' | 'left'> {
    const paths = distinctPaths(rowKeys, prefix);
    const rows = await this.#store.getMany(paths.map((path) => entityRowKey(partition, path)));
    const deletes: WireMutation[] = [];
    for (const [at, path] of paths.entries()) {
      const row = rows[at];
      if (!row) continue;
      const { message, version } = decodeEntityRow(row);
      if (!hasExpired(decodeEntity(message).properties, property, nowMicros)) continue;
      deletes.push({ op: 'delete', key: encodeKey(keyFromPath(partition, path)), baseVersion: version });
    }
    if (deletes.length > 0 && !(await this.#delete(partition.appId, deletes))) return 'left';
    return deletes.length < paths.length ? 'some' : 'none';
  }

  /** Whether all are deleted. One that has changed meanwhile keeps the others from it in a common commit only. */
  async #delete(appId: string, deletes: readonly WireMutation[]): Promise<boolean> {
    if (await this.#tryDelete(appId, deletes)) return true;
    let isComplete = true;
    for (const one of deletes) isComplete = (await this.#tryDelete(appId, [one])) && isComplete;
    return isComplete;
  }

  async #tryDelete(appId: string, deletes: readonly WireMutation[]): Promise<boolean> {
    try {
      await this.#committer.commit({ appId }, deletes, { patience: { signal: this.#closing.signal } });
      return true;
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'DS_TX_CONFLICT') return false;
      throw error;
    }
  }

  #isInForce(appId: string, policy: TtlPolicy): boolean {
    return this.#settings.of(appId).ttl.includes(policy);
  }

  async #keys(range: KeyRange, rowsMax: number): Promise<readonly Buffer[]> {
    if (Buffer.compare(range.from, range.to) >= 0) return [];
    const scan = this.#store.scan(range, { limit: rowsMax, keysOnly: true });
    const keys: Buffer[] = [];
    try {
      for (let rows = await scan.next(rowsMax); rows.length > 0; rows = await scan.next(rowsMax)) keys.push(...rows.map(({ key }) => key));
    } finally {
      await scan.close();
    }
    return keys;
  }
}

/** Only a timestamp is a time: a property with anything else, a list too, never expires. */
export function hasExpired(properties: Properties, property: string, nowMicros: bigint): boolean {
  const value = valueAt(properties, property);
  return value?.kind === 'timestamp' && value.excludeFromIndexes !== true && value.micros <= nowMicros;
}

/** A property of an embedded entity is named as its index rows are: `outer.inner`. */
function valueAt(properties: Properties, property: string): Value | undefined {
  if (Object.hasOwn(properties, property)) return properties[property];
  for (let dot = property.indexOf('.'); dot !== -1; dot = property.indexOf('.', dot + 1)) {
    const outer = property.slice(0, dot);
    const value = Object.hasOwn(properties, outer) ? properties[outer] : undefined;
    const inner = value?.kind === 'entity' ? valueAt(value.value.properties, property.slice(dot + 1)) : undefined;
    if (inner) return inner;
  }
  return undefined;
}

function distinctPaths(rowKeys: readonly Buffer[], prefix: Buffer): readonly Buffer[] {
  const paths = rowKeys.map((key) => {
    const reader = new OrderedReader(key, prefix.length);
    skipValue(reader);
    return key.subarray(reader.offset);
  });
  return [...new Map(paths.map((path) => [path.toString('latin1'), path])).values()];
}

function orderOf(appId: string, { kind }: TtlPolicy): Buffer {
  return new OrderedWriter().text(appId).text(kind).take();
}
