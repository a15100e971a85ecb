// Apps, services, versions and traffic: one picture in memory, changed only after the store has the change.
import { type ShardBy, type Unsubscribe } from '../../router/ports.ts';
import { type VersionChange } from '../../sdk/contract/admin/versions.ts';
import { PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import {
  type ControlChange,
  type ControlRecord,
  type ControlStore,
  type DatastoreTokenRecord,
  type MigrationRecord,
  recordName,
  type VersionRecord,
} from './control-store.ts';
import {
  allVersions,
  type AppSettings,
  deletionChanges,
  migrationBegin,
  migrationChanges,
  type RegistryState,
  runningChanges,
  servingChanges,
  settingsChanges,
  stagingChanges,
  stateOf,
  tokenChanges,
  tokenDeletionChanges,
  trafficChanges,
} from './registry-state.ts';

const RETRY_MS = 250;

/**
 * Reads come from memory, so they work while the datastore restarts; changes wait for it. Changes happen one after the
 * other, and each listener sees every picture in order.
 */
export class AppRegistry {
  readonly #store: ControlStore;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #listeners = new Set<(state: RegistryState) => void>();
  readonly #abort = new AbortController();
  #records = new Map<string, ControlRecord>();
  #state: RegistryState | undefined;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(store: ControlStore, clock: Clock, timers: Timers, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  /** Reads everything from the store, waiting for it when it is not there yet; then removes dead deploys' versions. */
  async start(): Promise<void> {
    await this.#load();
    const dead = allVersions(this.state).filter((version) => version.state === 'staged');
    for (const version of dead) {
      this.#log.warn('Removing the version of a deploy that was cut off', { appId: version.appId, version: version.version });
      await this.discard(version);
    }
  }

  close(): void {
    this.#abort.abort(new PlatformError('CANCELLED'));
    this.#listeners.clear();
  }

  /** Throws RPC_UNAVAILABLE before the store was read for the first time. */
  get state(): RegistryState {
    if (!this.#state) throw new PlatformError('RPC_UNAVAILABLE', 'the control plane is still starting');
    return this.#state;
  }

  /** Calls `onState` at once when the picture is known, then with each change. */
  watch(onState: (state: RegistryState) => void): Unsubscribe {
    this.#listeners.add(onState);
    if (this.#state) onState(this.#state);
    return () => {
      this.#listeners.delete(onState);
    };
  }

  /** Throws VERSION_EXISTS, VERSION_LIMIT. */
  stage(record: VersionRecord): Promise<void> {
    return this.#change((state) => stagingChanges(state, record));
  }

  serve(staged: VersionRecord, options: { readonly promote: boolean; readonly settings?: AppSettings }): Promise<void> {
    return this.#change((state) => servingChanges(state, staged, options.promote, this.#clock.nowMs(), options.settings));
  }

  /** Replaces what `settings` has of the app's settings; the rest stays. Throws APP_NOT_FOUND. */
  applySettings(appId: string, settings: AppSettings): Promise<void> {
    return this.#change((state) => settingsChanges(state, appId, settings, this.#clock.nowMs()));
  }

  /** Removes a version that never served, and its app when that came with it; content when it is not there. */
  discard(staged: VersionRecord): Promise<void> {
    return this.#change((state) => {
      const record = state.get(staged.appId)?.services.get(staged.service)?.versions.get(staged.version);
      if (record?.deploymentId !== staged.deploymentId || record.state !== 'staged') return [];
      return deletionChanges(state, staged.appId, staged.service, staged.version);
    });
  }

  setTraffic(appId: string, service: string, weights: Readonly<Record<string, number>>, shardBy?: ShardBy): Promise<void> {
    return this.#change((state) => trafficChanges(state, appId, service, weights, shardBy, this.#clock.nowMs()));
  }

  /** Throws APP_NOT_FOUND, VERSION_NOT_FOUND, INVALID_ARGUMENT when there is no traffic to move. */
  beginMigration(
    appId: string,
    service: string,
    to: string,
    options: { readonly durationMs: number; readonly shardBy?: ShardBy },
  ): Promise<void> {
    return this.#change((state) => migrationBegin(state, appId, service, to, options, this.#clock.nowMs()));
  }

  /** Brings a migration from `before` to `next`; without effect when it is not at `before` any more. */
  setMigration(appId: string, service: string, before: MigrationRecord, next: MigrationRecord): Promise<void> {
    return this.#change((state) => migrationChanges(state, appId, service, before, next, this.#clock.nowMs()));
  }

  /** Throws APP_NOT_FOUND, VERSION_NOT_FOUND, INVALID_ARGUMENT. */
  changeVersion(appId: string, service: string, version: string, change: VersionChange): Promise<void> {
    return this.#change((state) => runningChanges(state, appId, service, version, change));
  }

  deleteVersion(appId: string, service: string, version: string): Promise<void> {
    return this.#change((state) => deletionChanges(state, appId, service, version));
  }

  /** Throws APP_NOT_FOUND, DS_LIMIT. */
  addToken(record: DatastoreTokenRecord): Promise<void> {
    return this.#change((state) => tokenChanges(state, record));
  }

  /** Throws APP_NOT_FOUND, NOT_FOUND. */
  deleteToken(appId: string, id: string): Promise<void> {
    return this.#change((state) => tokenDeletionChanges(state, appId, id));
  }

  #change(decide: (state: RegistryState) => readonly ControlChange[]): Promise<void> {
    const change = this.#lastChange.then(() => this.#commit(decide(this.state)));
    this.#lastChange = change.catch(() => undefined);
    return change;
  }

  async #commit(changes: readonly ControlChange[]): Promise<void> {
    if (changes.length === 0) return;
    try {
      await this.#store.commit(changes);
    } catch (error) {
      const { code } = toPlatformError(error);
      // The picture was behind the store, or the outcome is unknown: only the store knows, so ask it.
      if (code !== 'RPC_UNAVAILABLE') await this.#load();
      throw code === 'DS_ALREADY_EXISTS' ? new PlatformError('VERSION_EXISTS', undefined, { cause: error }) : error;
    }
    for (const { op, record } of changes) {
      if (op === 'delete') this.#records.delete(keyOf(record));
      else this.#records.set(keyOf(record), record);
    }
    this.#publish();
  }

  async #load(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const records = await this.#store.load();
        this.#records = new Map(records.map((record) => [keyOf(record), record]));
        this.#publish();
        return;
      } catch (error) {
        if (!toPlatformError(error).retryable && toPlatformError(error).code !== 'RPC_CONNECTION_LOST') throw error;
        this.#log.warn('The control records cannot be read yet', { error, attempt });
      }
      await sleep(this.#timers, RETRY_MS, { signal: this.#abort.signal });
    }
  }

  #publish(): void {
    const state = stateOf(this.#records.values());
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

function keyOf(record: ControlRecord): string {
  return `${record.kind} ${recordName(record)}`;
}
