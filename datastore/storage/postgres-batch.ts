// The statements that write a batch of commits.
import { byteaArray } from './bytea-array.ts';
import { type Write } from './group-commit.ts';
import { type Marker, markersOf, type Place, placeName, placeOf } from './postgres-place.ts';

export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values: readonly (Buffer | number | string)[];
}

interface Put extends Place {
  readonly value: Buffer | null;
}

// Well below the largest statement that CockroachDB takes, 16 MiB; a single row may be larger.
const CHUNK_BYTES = 4 * 1024 * 1024;
const CHUNK_ROWS = 5_000;

const PUT = {
  name: 'put',
  text: `INSERT INTO appengine_rows (node, rest, value) SELECT unnest($1::bytea[]), unnest($2::bytea[]), unnest($3::bytea[])
    ON CONFLICT (node, rest) DO UPDATE SET value = excluded.value`,
};
const DELETE = { name: 'delete', text: 'DELETE FROM appengine_rows WHERE node = $1 AND rest = ANY($2::bytea[])' };
const DELETE_MARKER = {
  name: 'delete-marker',
  text: `DELETE FROM appengine_rows WHERE node = $1 AND rest = $2 AND value IS NULL
    AND NOT EXISTS (SELECT 1 FROM appengine_rows WHERE node = $3)`,
};

/** To be run in this order in one transaction; running them twice does no harm. The last write of a key wins. */
export function batchStatements(groups: readonly (readonly Write[])[]): readonly Statement[] {
  const last = new Map<string, Write>();
  for (const writes of groups) for (const write of writes) last.set(write.key.toString('latin1'), write);
  const puts: Put[] = [];
  const markers = new Map<string, Put>();
  const deletes = new Map<string, { readonly node: Buffer; readonly rests: Buffer[] }>();
  const emptied = new Map<string, Marker>();
  for (const { key, value } of last.values()) {
    const place = placeOf(key);
    const isBelowRoot = place.node.length > 0;
    if (value === undefined) {
      const node = place.node.toString('latin1');
      const ofNode = deletes.get(node) ?? { node: place.node, rests: [] };
      ofNode.rests.push(place.rest);
      deletes.set(node, ofNode);
      if (isBelowRoot) for (const marker of markersOf(key)) emptied.set(placeName(marker), marker);
    } else {
      puts.push({ ...place, value });
      if (isBelowRoot) for (const { node, rest } of markersOf(key)) markers.set(placeName({ node, rest }), { node, rest, value: null });
    }
  }
  return [
    ...putStatements([...markers.values(), ...puts]),
    ...[...deletes.values()].flatMap(({ node, rests }) => deleteStatements(node, rests)),
    // Those furthest from the root first, since a marker keeps the node that it stands in; they were named from the root down.
    ...[...emptied.values()].map((marker) => ({ ...DELETE_MARKER, values: [marker.node, marker.rest, marker.child] })).reverse(),
  ];
}

function* chunks<T>(items: readonly T[], bytesOf: (item: T) => number): Generator<readonly T[]> {
  let from = 0;
  let bytes = 0;
  for (const [at, item] of items.entries()) {
    if (at > from && (bytes + bytesOf(item) > CHUNK_BYTES || at - from === CHUNK_ROWS)) {
      yield items.slice(from, at);
      from = at;
      bytes = 0;
    }
    bytes += bytesOf(item);
  }
  if (from < items.length) yield items.slice(from);
}

function putStatements(puts: readonly Put[]): readonly Statement[] {
  const parts = [...chunks(puts, ({ rest, value }) => rest.length + (value?.length ?? 0))];
  return parts.map((part) => ({
    ...PUT,
    values: [
      byteaArray(part.map(({ node }) => node)),
      byteaArray(part.map(({ rest }) => rest)),
      byteaArray(part.map(({ value }) => value)),
    ],
  }));
}

function deleteStatements(node: Buffer, rests: readonly Buffer[]): readonly Statement[] {
  return [...chunks(rests, (rest) => rest.length)].map((part) => ({ ...DELETE, values: [node, byteaArray(part)] }));
}
