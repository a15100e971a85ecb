// Where a key stands in the table of rows. An index row of PostgreSQL holds about 2,700 bytes and a key of ours up to 10,000,
// so a key is cut into segments, and the table is a tree of nodes:
//
//   key    := segment* rest        segment: SEGMENT_BYTES bytes each; rest: fewer
//   node   := the empty string for a key without segments, else SHA-256 of its segments together
//   row    := (node, rest) → value
//   marker := (node of the segments before, segment) → null        one for each node but the root
//
// Within a node, rests and segments in bytewise order are its keys in order: a marker stands where all keys below it do.
// Keys of ordinary length all stand in the root, so a row costs no more than a key column would.
import { createHash } from 'node:crypto';

/** On disk: never to be changed. */
export const SEGMENT_BYTES = 2_000;
export const ROOT = Buffer.alloc(0);
/** Above every rest and segment. */
export const TOP = Buffer.alloc(SEGMENT_BYTES + 1, 0xff);

export interface Place {
  readonly node: Buffer;
  readonly rest: Buffer;
}

export interface Marker extends Place {
  /** The node that it leads to. */
  readonly child: Buffer;
}

export function placeOf(key: Buffer): Place {
  if (key.length < SEGMENT_BYTES) return { node: ROOT, rest: key };
  const cut = key.length - (key.length % SEGMENT_BYTES);
  return { node: nodeOf(key.subarray(0, cut)), rest: key.subarray(cut) };
}

/** The markers on the way to a key, from the root down. */
export function markersOf(key: Buffer): readonly Marker[] {
  const markers: Marker[] = [];
  let node: Buffer = ROOT;
  for (let cut = SEGMENT_BYTES; cut <= key.length; cut += SEGMENT_BYTES) {
    const child = nodeOf(key.subarray(0, cut));
    markers.push({ node, rest: key.subarray(cut - SEGMENT_BYTES, cut), child });
    node = child;
  }
  return markers;
}

/** The node of keys that start with `segments`. */
export function nodeOf(segments: Buffer): Buffer {
  return segments.length === 0 ? ROOT : createHash('sha256').update(segments).digest();
}

/** Names a place in maps and sets. */
export function placeName({ node, rest }: Place): string {
  return `${node.toString('latin1')}/${rest.toString('latin1')}`;
}
