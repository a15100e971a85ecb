// What each app has chosen for its data: all of it in memory, each change on disk first.
// Must not know what a setting does; those who do ask `of` at the moment it matters.
//
//   settings row := D app:str → checked row of the settings as JSON
import { z } from 'zod';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { Turns } from '../../sdk/support/turns.ts';
import { decodeCheckedRow, encodeCheckedRow } from '../codec/checked-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { FAMILY, settingsKey } from '../codec/row-key.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Store } from '../storage/port.ts';

const CHUNK_ROWS = 256;

/** Entities of `kind`, in all namespaces, are deleted once the time in `property` has passed. */
const ttlPolicy = z.object({ kind: z.string(), property: z.string() });

const appSettings = z.object({
  /** pessimistic: a transaction locks what it reads. optimistic: what it read is compared at commit. */
  concurrency: z.enum(['pessimistic', 'optimistic']).default('pessimistic'),
  ttl: z.array(ttlPolicy).default([]),
});

export type TtlPolicy = z.infer<typeof ttlPolicy>;
export type AppSettings = z.infer<typeof appSettings>;

const DEFAULTS: AppSettings = appSettings.parse({});

export class SettingsCatalog {
  readonly #store: Store;
  readonly #apps = new Map<string, AppSettings>();
  readonly #turns = new Turns();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads all settings. Throws DS_CORRUPT. */
  async start(): Promise<void> {
    this.#apps.clear();
    const scan = this.#store.scan(prefixRange(Buffer.from([FAMILY.settings])));
    for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) {
      for (const { key, value } of rows) this.#apps.set(new OrderedReader(key, 1).text(), decodeSettings(value));
    }
    await scan.close();
  }

  of(appId: string): AppSettings {
    return this.#apps.get(appId) ?? DEFAULTS;
  }

  /** Every app that has chosen something. */
  chosen(): ReadonlyMap<string, AppSettings> {
    return this.#apps;
  }

  /** Applies `edit` once earlier changes are durable, and resolves when it is durable too. What `edit` throws changes nothing. */
  change(appId: string, edit: (settings: AppSettings) => AppSettings): Promise<AppSettings> {
    return this.whileUnchanged(async () => {
      const edited = edit(this.of(appId));
      const transaction = this.#store.begin();
      transaction.put(settingsKey(appId), encodeCheckedRow(Buffer.from(JSON.stringify(edited))));
      await transaction.commit();
      this.#apps.set(appId, edited);
      return edited;
    });
  }

  /** Runs `wipe`, which takes the settings of some apps off the disk, while nothing is changed; `forget` what it took away. */
  whileUnchanged<T>(wipe: () => Promise<T>): Promise<T> {
    return this.#turns.take(wipe);
  }

  /** Within `whileUnchanged`. */
  forget(appIds: readonly string[]): void {
    for (const appId of appIds) this.#apps.delete(appId);
  }
}

/** Throws DS_CORRUPT. */
export function decodeSettings(row: Buffer): AppSettings {
  const body = decodeCheckedRow(row, 'a settings row');
  try {
    return appSettings.parse(JSON.parse(body.toString('utf8')));
  } catch (cause) {
    throw new PlatformError('DS_CORRUPT', 'a settings row that cannot be read', { cause });
  }
}
