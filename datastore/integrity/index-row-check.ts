// Whether index rows belong to an entity that produces them.
import { FAMILY } from '../codec/row-key.ts';
import { type Row, type StoreReader } from '../storage/port.ts';
import { producedBy } from './entity-rows.ts';
import { builtInPlace, compositeIdIn, compositePlace, type IndexRowPlace } from './index-row-place.ts';
import { type SnapshotIndexes } from './snapshot-indexes.ts';
import { reasonOf, type Suspect } from './suspect.ts';

interface Placed {
  readonly row: Row;
  /** By what its entity is told apart from others. */
  readonly entity: string;
  readonly entityKey: Buffer;
}

/** By row key. */
type Expected = ReadonlyMap<string, Buffer>;

/** Checks K, P and C rows of one snapshot. Each entity that they name is read once. */
export async function checkIndexRows(reader: StoreReader, rows: readonly Row[], indexes: SnapshotIndexes): Promise<readonly Suspect[]> {
  const suspects: Suspect[] = [];
  const placed: Placed[] = [];
  for (const row of rows) {
    const found = placeOf(row, indexes);
    if (!found) continue;
    if ('problem' in found) suspects.push(found);
    else placed.push({ row, entity: found.entityKey.toString('latin1'), entityKey: found.entityKey });
  }
  const entities = new Map(placed.map(({ entity, entityKey }) => [entity, entityKey]));
  const stored = await reader.getMany([...entities.values()]);
  const expected = new Map([...entities].map(([entity, key], at) => [entity, expectedRows(key, stored[at], indexes)]));
  for (const { row, entity } of placed) {
    const ofEntity = expected.get(entity) ?? 'unreadable';
    // Then the entity is what is wrong, and its own row is where that is found.
    if (ofEntity === 'unreadable') continue;
    const detail = ofEntity === 'absent' ? 'its entity is not there' : mismatch(ofEntity.get(row.key.toString('latin1')), row.value);
    if (detail !== undefined) suspects.push({ problem: 'index-orphan', key: row.key, detail });
  }
  return suspects;
}

/** Undefined when nothing can be said. */
function placeOf({ key }: Row, indexes: SnapshotIndexes): IndexRowPlace | Suspect | undefined {
  try {
    if (key[0] !== FAMILY.composite) return builtInPlace(key);
    const { appId, indexId } = compositeIdIn(key);
    const index = indexes.byId(appId, indexId);
    if (index === 'undecided') return undefined;
    if (index) return compositePlace(key, index);
    return { problem: 'index-unknown', key, detail: `the app "${appId}" has no composite index ${indexId}` };
  } catch (error) {
    return { problem: 'unreadable', key, detail: reasonOf(error) };
  }
}

function expectedRows(key: Buffer, value: Buffer | undefined, indexes: SnapshotIndexes): Expected | 'absent' | 'unreadable' {
  if (!value) return 'absent';
  try {
    return new Map(producedBy({ key, value }, indexes).map((row) => [row.key.toString('latin1'), row.value]));
  } catch {
    return 'unreadable';
  }
}

function mismatch(expected: Buffer | undefined, value: Buffer): string | undefined {
  if (!expected) return 'its entity does not produce it';
  return expected.equals(value) ? undefined : 'it has another value than its entity gives it';
}
