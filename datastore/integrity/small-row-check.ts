// Whether the rows that are not an entity's can be read: indexes, settings, statistics, bounds.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { decodeCheckedRow } from '../codec/checked-row.ts';
import { decodeEntityRow } from '../codec/entity-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { FAMILY, RESETS, VERSION_BOUND_KEY } from '../codec/row-key.ts';
import { rowKeyOf } from '../history/history-row.ts';
import { decodeIndex } from '../index/index-row.ts';
import { decodeSettings } from '../settings/settings-catalog.ts';
import { type Row } from '../storage/port.ts';
import { decodeAppBytes } from '../tablet/app-bytes.ts';
import { decodeLoad, decodeTablet, readLoadKey } from '../tablet/tablet-row.ts';
import { hexOf } from './row-name.ts';
import { reasonOf, type Suspect } from './suspect.ts';

/** Each throws when the row cannot be read. */
const READERS: ReadonlyMap<number, (row: Row) => void> = new Map<number, (row: Row) => void>([
  [
    FAMILY.index,
    ({ key, value }) => {
      const id = keyEnd(key, (reader) => {
        reader.text();
        return reader.uint32();
      });
      decodeIndex(id, value);
    },
  ],
  [
    FAMILY.settings,
    ({ key, value }) => {
      keyEnd(key, (reader) => reader.text());
      decodeSettings(value);
    },
  ],
  [
    FAMILY.appBytes,
    ({ key, value }) => {
      keyEnd(key, (reader) => reader.text());
      decodeAppBytes(value);
    },
  ],
  [FAMILY.metadata, ({ value }) => void decodeTablet(value)],
  [
    FAMILY.load,
    ({ key, value }) => {
      readLoadKey(key);
      decodeLoad(value);
    },
  ],
  [FAMILY.history, readHistory],
  [FAMILY.sequence, readBound],
]);

/** The row as a suspect, if it is one. */
export function checkSmallRow(row: Row): Suspect | undefined {
  const read = READERS.get(row.key[0] ?? -1);
  if (!read) return { problem: 'family-unknown', key: row.key, detail: `a row of no known family, with ${row.value.length} bytes` };
  try {
    read(row);
    return undefined;
  } catch (error) {
    return { problem: 'unreadable', key: row.key, detail: reasonOf(error) };
  }
}

/** METADATA rows in key order: whether they are a map of the whole key space. Only starts are kept, so they leave no other gap. */
export function checkTabletMap(rows: readonly Row[]): readonly Suspect[] {
  const [first] = rows;
  if (first && first.key.length > 1) {
    return [{ problem: 'tablets-broken', key: first.key, detail: `no tablet holds the keys before ${hexOf(first.key.subarray(1))}` }];
  }
  const suspects: Suspect[] = [];
  const ids = new Set<number>();
  for (const { key, value } of rows) {
    try {
      const { id } = decodeTablet(value);
      if (ids.has(id)) suspects.push({ problem: 'tablets-broken', key, detail: `another tablet has its id ${id} too` });
      ids.add(id);
    } catch {
      // Found where the row itself is looked at.
    }
  }
  return suspects;
}

function keyEnd<T>(key: Buffer, read: (reader: OrderedReader) => T): T {
  const reader = new OrderedReader(key, 1);
  const result = read(reader);
  if (!reader.atEnd) throw new PlatformError('DS_CORRUPT', 'a key that goes on behind its end');
  return result;
}

/** The row that it was: an index row without its value, or an entity's. */
function readHistory({ key, value }: Row): void {
  if (key.length <= HISTORY_VERSION_BYTES + 1) throw new PlatformError('DS_CORRUPT', 'a history row that names no row');
  if (rowKeyOf(key)[0] === FAMILY.entity) decodeEntityRow(value);
  else if (value.length > 0) throw new PlatformError('DS_CORRUPT', 'the history of an index row with a value');
}

const HISTORY_VERSION_BYTES = 8;
const IDS_BYTE = 0x02;
const CLEAN_BYTE = 0x03;
const HISTORY_BYTE = 0x04;
const INDEXES_BYTE = 0x05;
const RESET_BYTE = 0x06;
const RESERVED_BYTE = 0x07;
const SPARING = Buffer.from([0x01]);
const OLD_FORMAT_VERSION = 0x01;

function readBound({ key, value }: Row): void {
  const isOld = value[0] === OLD_FORMAT_VERSION;
  const body = isOld ? value.subarray(1) : decodeCheckedRow(value, 'a bound');
  if (key.subarray(0, RESETS.length).equals(RESETS) && !isOld && body.equals(SPARING)) return;
  if (body.length !== boundBytes(key)) throw new PlatformError('DS_CORRUPT', 'a bound of an unknown format');
}

/** Of the body. */
function boundBytes(key: Buffer): number {
  if (key.equals(VERSION_BOUND_KEY)) return 8;
  return keyEnd(key, (reader) => {
    switch (reader.byte()) {
      case IDS_BYTE:
        reader.text();
        reader.text();
        return 8;
      case CLEAN_BYTE:
        return 0;
      case HISTORY_BYTE:
        if (!reader.atEnd) reader.text();
        return 8;
      case INDEXES_BYTE:
        reader.text();
        return 4;
      case RESET_BYTE:
        reader.text();
        return 0;
      case RESERVED_BYTE:
        reader.text();
        reader.text();
        reader.uint64();
        return 0;
      default:
        throw new PlatformError('DS_CORRUPT', 'an unknown sequence');
    }
  });
}
