// The entities of a metadata kind in key order, each found by one seek to its first index row and one over all its others:
// what is read grows with the answer, and not with what is stored.
import { encodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Properties } from '../../sdk/contract/entity.ts';
import { type PathElement } from '../../sdk/contract/key.ts';
import { type EntityRow } from '../codec/entity-row.ts';
import { isReserved } from '../codec/key-check.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { keyFromPath, type Partition, pathBytes, pathPrefixBytes } from '../codec/row-key.ts';
import { keyAfter, keyAfterPrefix } from '../storage/key-bytes.ts';
import { type Candidate, type CandidateBatch, type CandidateSource } from './branch-source.ts';
import { isInColumnRange } from './bounds.ts';
import { type Reading } from './hit-source.ts';
import { type MetadataKind } from './metadata-kind.ts';
import { type QueryPlan, type ScanPlan } from './plan.ts';
import { typesOf } from './property-types.ts';

const NAMESPACE = '__namespace__';
const KIND = '__kind__';
const PROPERTY = '__property__';
/** Of the default namespace, which has no name. */
const DEFAULT_ID = 1n;

/** How the keys of one metadata kind lie beside the rows that they are read from. */
interface Listing {
  /** Where the search for the first path not below `from` begins, behind the prefix of the scan; undefined at the end. */
  seek(from: Buffer): Buffer | undefined;
  /** The path that the row with this suffix stands for, and how much of the suffix all its rows have in common. */
  read(suffix: Buffer): { readonly path: readonly PathElement[]; readonly length: number; readonly isHidden: boolean };
}

const NOTHING = Buffer.alloc(0);

/** The bytes of a path before the name that the rows have too. */
function headOf(path: readonly PathElement[], kind: string): Buffer {
  const named = pathPrefixBytes([...path, { kind, name: '' }]);
  return named.subarray(0, named.length - new OrderedWriter().text('').take().length);
}

const NAMESPACE_HEAD = headOf([], NAMESPACE);
const KIND_HEAD = headOf([], KIND);
const PROPERTY_HEAD = headOf([], PROPERTY);
const DEFAULT_NAMESPACE = pathBytes([{ kind: NAMESPACE, id: DEFAULT_ID }]);

/** What follows `head` in `from`; nothing when `from` lies before, undefined when it lies behind all that starts so. */
function behind(head: Buffer, from: Buffer): Buffer | undefined {
  if (from.length >= head.length && from.subarray(0, head.length).equals(head)) return from.subarray(head.length);
  return Buffer.compare(from, head) < 0 ? NOTHING : undefined;
}

const LISTINGS: Readonly<Record<MetadataKind, Listing>> = {
  __namespace__: {
    seek: (from) => {
      const rest = behind(NAMESPACE_HEAD, from);
      // The default namespace has the empty str, and comes first in both orders.
      if (rest?.length === 0 && Buffer.compare(from, DEFAULT_NAMESPACE) > 0) return keyAfterPrefix(new OrderedWriter().text('').take());
      return rest;
    },
    read: (suffix) => {
      const reader = new OrderedReader(suffix);
      const name = reader.text();
      const element = name === '' ? { kind: NAMESPACE, id: DEFAULT_ID } : { kind: NAMESPACE, name };
      return { path: [element], length: reader.offset, isHidden: false };
    },
  },
  __kind__: {
    seek: (from) => behind(KIND_HEAD, from),
    read: (suffix) => {
      const reader = new OrderedReader(suffix);
      const name = reader.text();
      return { path: [{ kind: KIND, name }], length: reader.offset, isHidden: isReserved(name) };
    },
  },
  __property__: {
    seek: (from) => {
      const rest = behind(KIND_HEAD, from);
      const kindLength = rest && lengthOfStr(rest);
      if (!rest || kindLength === undefined) return rest;
      const property = behind(PROPERTY_HEAD, rest.subarray(kindLength));
      const kind = rest.subarray(0, kindLength);
      return property ? Buffer.concat([kind, property]) : keyAfterPrefix(kind);
    },
    read: (suffix) => {
      const reader = new OrderedReader(suffix);
      const kind = reader.text();
      const name = reader.text();
      const path = [
        { kind: KIND, name: kind },
        { kind: PROPERTY, name },
      ];
      return { path, length: reader.offset, isHidden: isReserved(kind) };
    },
  },
};

/** Of the str that `bytes` begin with; undefined when they hold only part of one. */
function lengthOfStr(bytes: Buffer): number | undefined {
  const reader = new OrderedReader(bytes);
  try {
    reader.skipStr();
    return reader.offset;
  } catch {
    return undefined;
  }
}

export class MetadataScan implements CandidateSource {
  readonly #plan: QueryPlan;
  readonly #scan: ScanPlan;
  readonly #reading: Reading;
  readonly #listing: Listing;
  /** Whether `property_representation` is wanted. */
  readonly #withTypes: boolean;
  #reached: Buffer;
  /** Behind the scan's prefix; undefined at the end. */
  #seek: Buffer | undefined;

  constructor(plan: QueryPlan, scan: ScanPlan, kind: MetadataKind, reading: Reading, from: Buffer) {
    this.#plan = plan;
    this.#scan = scan;
    this.#reading = reading;
    this.#listing = LISTINGS[kind];
    this.#withTypes = kind === PROPERTY && plan.query.resultKind === 'full';
    this.#reached = Buffer.compare(from, scan.range.from) > 0 ? from : scan.range.from;
    this.#seek = this.#listing.seek(this.#reached);
  }

  async next(want: number): Promise<CandidateBatch> {
    const candidates: Candidate[] = [];
    const { meter } = this.#reading;
    while (this.#seek && candidates.length < want && !meter.isSpent) {
      const candidate = await this.#find(this.#seek);
      if (candidate) candidates.push(candidate);
    }
    return { candidates, reached: this.#reached, done: !this.#seek };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The entity whose first row lies at or behind `seek`, unless it is out of the range; moves on behind it. */
  async #find(seek: Buffer): Promise<Candidate | undefined> {
    const { prefix, range } = this.#scan;
    const end = keyAfterPrefix(prefix) ?? NOTHING;
    const scan = this.#reading.reader.scan({ from: Buffer.concat([prefix, seek]), to: end }, { limit: 1, keysOnly: true });
    const [row] = await scan.next(1).finally(() => scan.close());
    this.#seek = undefined;
    if (!row) return undefined;
    this.#reading.meter.indexRows++;
    this.#reading.onRead(row.key, 1);
    const suffix = row.key.subarray(prefix.length);
    const { path, length, isHidden } = this.#listing.read(suffix);
    const position = pathBytes(path);
    if (range.to && Buffer.compare(position, range.to) >= 0) return undefined;
    const common = suffix.subarray(0, length);
    this.#seek = keyAfterPrefix(common);
    // The seek may have stopped at what was returned last.
    const isWanted = !isHidden && Buffer.compare(position, this.#reached) >= 0 && isInColumnRange(position, range);
    if (!isWanted) return undefined;
    this.#reached = keyAfter(position);
    const candidate = { position, path: position, isOneOfMany: false };
    if (this.#plan.query.resultKind !== 'full') return candidate;
    const types = this.#withTypes ? await typesOf(this.#reading, Buffer.concat([prefix, common])) : undefined;
    return { ...candidate, row: rowOf(this.#plan.query.partition, position, types) };
  }
}

function rowOf(partition: Partition, path: Buffer, types: readonly string[] | undefined): EntityRow {
  const properties: Properties = types
    ? { property_representation: { kind: 'array', values: types.map((value) => ({ kind: 'string', value })) } }
    : {};
  const message = encodeEntity({ key: keyFromPath(partition, path), properties });
  return { version: 0n, createdMicros: 0n, updatedMicros: 0n, message };
}
