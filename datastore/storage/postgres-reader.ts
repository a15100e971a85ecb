// The statements that read rows, in the words that PostgreSQL, CockroachDB and YugabyteDB share.
import { byteaArray } from './bytea-array.ts';
import { type Place, placeName, placeOf, ROOT } from './postgres-place.ts';
import { type Client } from './postgres-server.ts';

/** A row or (value null) a marker of a node. */
export interface NodeEntry {
  readonly rest: Buffer;
  /** Empty when only keys were asked for. */
  readonly value: Buffer | null;
}

export interface NodeRange {
  readonly node: Buffer;
  /** Inclusive. */
  readonly from: Buffer;
  /** Exclusive. */
  readonly to: Buffer;
  readonly direction: 'forward' | 'backward';
  readonly keysOnly: boolean;
}

const NO_VALUE = Buffer.alloc(0);

// Named ones are parsed and planned once for each connection; all of them have one plan that is right for any argument.
const GET = { name: 'get', text: 'SELECT value FROM appengine_rows WHERE node = $1 AND rest = $2' };
const GET_IN_ROOT = {
  name: 'get-in-root',
  text: 'SELECT node, rest, value FROM appengine_rows WHERE node = $1 AND rest = ANY($2::bytea[])',
};
const GET_ANYWHERE = {
  name: 'get-anywhere',
  text: `${GET_IN_ROOT.text} UNION ALL
    SELECT found.node, found.rest, found.value
    FROM (SELECT unnest($3::bytea[]) AS node, unnest($4::bytea[]) AS rest) AS wanted
    JOIN appengine_rows AS found ON found.node = wanted.node AND found.rest = wanted.rest`,
};

/** One statement, so all values are of one state. */
export async function readMany(client: Client, keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
  const places = keys.map(placeOf);
  const [only] = places;
  if (only && places.length === 1) {
    const { rows } = await client.query<[Buffer]>({ ...GET, values: [only.node, only.rest], rowMode: 'array' });
    return [rows[0]?.[0]];
  }
  const inRoot = places.filter(({ node }) => node.length === 0);
  const below = distinct(places.filter(({ node }) => node.length > 0));
  const values = [ROOT, byteaArray(inRoot.map(({ rest }) => rest))];
  const { rows } = await client.query<[Buffer, Buffer, Buffer]>(
    below.length === 0
      ? { ...GET_IN_ROOT, values, rowMode: 'array' }
      : {
          ...GET_ANYWHERE,
          values: [...values, byteaArray(below.map(({ node }) => node)), byteaArray(below.map(({ rest }) => rest))],
          rowMode: 'array',
        },
  );
  const found = new Map(rows.map(([node, rest, value]) => [placeName({ node, rest }), value]));
  return places.map((place) => found.get(placeName(place)));
}

/** A join repeats what is asked for twice. */
function distinct(places: readonly Place[]): readonly Place[] {
  return places.length < 2 ? places : [...new Map(places.map((place) => [placeName(place), place])).values()];
}

/**
 * The first entries of a range, at most `entriesMax`, and no more once their values have `bytesMax`; at least one if there is
 * one. Planned for its arguments each time: a range may hold one row or all.
 */
export async function readEntries(
  client: Client,
  range: NodeRange,
  entriesMax: number,
  bytesMax: number,
): Promise<{ readonly entries: readonly NodeEntry[]; readonly isEnd: boolean }> {
  const order = range.direction === 'forward' ? 'ASC' : 'DESC';
  const head = (column: string): string =>
    `SELECT rest, ${column} FROM appengine_rows WHERE node = $1 AND rest >= $2 AND rest < $3 ORDER BY rest ${order} LIMIT $4`;
  const bounds = [range.node, range.from, range.to, entriesMax];
  if (range.keysOnly) {
    const { rows } = await client.query<[Buffer, boolean]>({ text: head('value IS NULL'), values: bounds, rowMode: 'array' });
    const entries = rows.map(([rest, isMarker]) => ({ rest, value: isMarker ? null : NO_VALUE }));
    return { entries, isEnd: entries.length < entriesMax };
  }
  const text = `SELECT rest, value FROM (
      SELECT rest, value, SUM(COALESCE(OCTET_LENGTH(value), 0)) OVER (ORDER BY rest ${order}) - COALESCE(OCTET_LENGTH(value), 0) AS bytes_before
      FROM (${head('value')}) AS head
    ) AS counted WHERE bytes_before < $5 ORDER BY rest ${order}`;
  const { rows } = await client.query<[Buffer, Buffer | null]>({ text, values: [...bounds, bytesMax], rowMode: 'array' });
  const bytes = rows.reduce((sum, [, value]) => sum + (value?.length ?? 0), 0);
  return { entries: rows.map(([rest, value]) => ({ rest, value })), isEnd: rows.length < entriesMax && bytes < bytesMax };
}
