// Integrity: whether everything on disk fits together. Rows are walked in key order, in bounded steps, each on a snapshot of
// its own while writes go on. A commit changes an entity and its index rows at once, so in one snapshot they must agree.
// Must not write entities, nor trust what it reads: any byte may be wrong.
// Read next: entity-rows.ts and index-row-check.ts (what must hold), walk-ranges.ts (what is walked), repairer.ts.
import { type Finding } from '../../sdk/contract/admin/integrity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { FAMILY } from '../codec/row-key.ts';
import { keyAfter, keyAfterPrefix, prefixRange } from '../storage/key-bytes.ts';
import { type KeyRange, type Row, type Store, type StoreReader } from '../storage/port.ts';
import { checkEntityRows } from './entity-rows.ts';
import { checkIndexRows } from './index-row-check.ts';
import { type Repairer } from './repairer.ts';
import { familyName, hexOf, rowName } from './row-name.ts';
import { SnapshotIndexes } from './snapshot-indexes.ts';
import { checkSmallRow, checkTabletMap } from './small-row-check.ts';
import { reasonOf, type Suspect } from './suspect.ts';
import { walkRanges } from './walk-ranges.ts';

export interface CheckScope {
  /** Absent: all apps. */
  readonly appId?: string;
}

export interface CheckStepOptions {
  /** `next` of the step before. */
  readonly from?: Uint8Array;
  readonly repair?: boolean;
}

export interface CheckStep {
  readonly rows: number;
  readonly bytes: number;
  /** Rows by family. */
  readonly families: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  /** Where the next step begins; absent behind the last one. */
  readonly next?: Buffer;
}

/** Rows looked at in one turn, between which calls of clients are answered. */
const CHUNK_ROWS = 32;
const INDEX_FAMILIES: ReadonlySet<number> = new Set([FAMILY.kind, FAMILY.property, FAMILY.composite]);

export class Checker {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #repairer: Repairer;

  constructor(store: Store, clock: Clock, repairer: Repairer) {
    this.#store = store;
    this.#clock = clock;
    this.#repairer = repairer;
  }

  /** Walks on from `from`, for at most integrityStepMs and integrityStepRowsMax rows. Mends what can be mended, if asked to. */
  async step({ appId }: CheckScope, options: CheckStepOptions = {}): Promise<CheckStep> {
    const { from, repair = false } = options;
    const endMs = this.#clock.monotonicMs() + LIMITS.integrityStepMs;
    const families = new Map<string, number>();
    const suspects: Suspect[] = [];
    let [rows, bytes] = [0, 0];
    let position: Buffer = Buffer.from(from ?? []);
    const isSpent = (): boolean => rows >= LIMITS.integrityStepRowsMax || this.#clock.monotonicMs() > endMs;
    const next = await this.#within(async (reader) => {
      const indexes = new SnapshotIndexes(reader);
      for (const range of rangesFrom(walkRanges(appId), from)) {
        if (Buffer.compare(position, range.from) < 0) position = range.from;
        const scan = reader.scan(range);
        try {
          for (let chunk = await scan.next(CHUNK_ROWS); chunk.length > 0; chunk = await scan.next(CHUNK_ROWS)) {
            suspects.push(...(await checkReadable(reader, chunk, indexes)));
            rows += chunk.length;
            for (const { key, value } of chunk) {
              bytes += key.length + value.length;
              families.set(familyName(key), (families.get(familyName(key)) ?? 0) + 1);
            }
            position = keyAfter(chunk.at(-1)?.key ?? position);
            if (isSpent()) return position;
          }
        } catch (error) {
          if (!isCorrupt(error)) throw error;
          suspects.push({ problem: 'store-unreadable', key: position, detail: `rows from here on cannot be read: ${reasonOf(error)}` });
          const behind = await readableBehind(reader, { from: position, to: range.to });
          if (behind) return behind;
        } finally {
          await scan.close();
        }
      }
      return undefined;
    });
    if (next === undefined) suspects.push(...(await this.#within(tabletSuspects)));
    const findings: Finding[] = [];
    for (const suspect of suspects) {
      const confirmed = await this.#again(suspect);
      if (!confirmed) continue;
      const repaired = repair ? await this.#repairer.repair(confirmed) : undefined;
      findings.push({ ...findingOf(confirmed), ...(repaired === undefined ? {} : { repaired }) });
    }
    return { rows, bytes, families: Object.fromEntries(families), findings, ...(next ? { next } : {}) };
  }

  /** The suspect as it looks now, on a snapshot of its own; undefined when nothing is wrong any more. */
  async #again(suspect: Suspect): Promise<Suspect | undefined> {
    if (suspect.problem === 'store-unreadable') return suspect;
    const { problem, key } = suspect;
    return this.#within(async (reader) => {
      if (problem === 'tablets-broken') return (await tabletSuspects(reader)).find((one) => one.key.equals(key));
      const value = await reader.get(key);
      return value && (await checkReadable(reader, [{ key, value }], new SnapshotIndexes(reader)))[0];
    });
  }

  async #within<T>(read: (reader: StoreReader) => Promise<T>): Promise<T> {
    const snapshot = this.#store.snapshot();
    try {
      return await read(snapshot);
    } finally {
      await snapshot.close();
    }
  }
}

/** Rows of one snapshot, one by one where the store cannot read what they belong to. */
async function checkReadable(reader: StoreReader, rows: readonly Row[], indexes: SnapshotIndexes): Promise<readonly Suspect[]> {
  try {
    return await checkRows(reader, rows, indexes);
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    const [only] = rows;
    if (only && rows.length === 1) {
      return [{ problem: 'store-unreadable', key: only.key, detail: `what it belongs to cannot be read: ${reasonOf(error)}` }];
    }
  }
  const suspects: Suspect[] = [];
  for (const row of rows) suspects.push(...(await checkReadable(reader, [row], indexes)));
  return suspects;
}

/** A key behind `from` from which on rows can be read: at the end of ever larger neighbourhoods. */
async function readableBehind(reader: StoreReader, { from, to }: KeyRange): Promise<Buffer | undefined> {
  for (let cut = 1; cut < from.length; cut *= 2) {
    const start = keyAfterPrefix(from.subarray(0, from.length - cut));
    if (!start || Buffer.compare(start, to) >= 0) return undefined;
    const scan = reader.scan({ from: start, to }, { limit: 1 });
    try {
      await scan.next(1);
      return start;
    } catch (error) {
      if (!isCorrupt(error)) throw error;
    } finally {
      await scan.close();
    }
  }
  return undefined;
}

function isCorrupt(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'DS_CORRUPT';
}

/** Rows of one snapshot. */
async function checkRows(reader: StoreReader, rows: readonly Row[], indexes: SnapshotIndexes): Promise<readonly Suspect[]> {
  const [entities, indexRows, small]: [Row[], Row[], Row[]] = [[], [], []];
  for (const row of rows) {
    const family = row.key[0] ?? 0;
    (family === FAMILY.entity ? entities : INDEX_FAMILIES.has(family) ? indexRows : small).push(row);
  }
  await indexes.prepare([...entities, ...indexRows]);
  const suspects: Suspect[] = [];
  if (entities.length > 0) suspects.push(...(await checkEntityRows(reader, entities, indexes)));
  if (indexRows.length > 0) suspects.push(...(await checkIndexRows(reader, indexRows, indexes)));
  for (const row of small) {
    const suspect = checkSmallRow(row);
    if (suspect) suspects.push(suspect);
  }
  return suspects;
}

async function tabletSuspects(reader: StoreReader): Promise<readonly Suspect[]> {
  const rows: Row[] = [];
  const scan = reader.scan(prefixRange(Buffer.from([FAMILY.metadata])));
  for (let chunk = await scan.next(CHUNK_ROWS); chunk.length > 0; chunk = await scan.next(CHUNK_ROWS)) rows.push(...chunk);
  await scan.close();
  return checkTabletMap(rows);
}

/** What lies at or behind `from`. */
function rangesFrom(ranges: readonly KeyRange[], from: Uint8Array | undefined): readonly KeyRange[] {
  if (from === undefined) return ranges;
  const start = Buffer.from(from.buffer, from.byteOffset, from.byteLength);
  return ranges
    .filter(({ to }) => Buffer.compare(start, to) < 0)
    .map((range) => (Buffer.compare(range.from, start) < 0 ? { from: start, to: range.to } : range));
}

function findingOf({ problem, key, detail }: Suspect): Finding {
  return { problem, family: familyName(key), row: rowName(key), rowKey: hexOf(key), detail };
}
