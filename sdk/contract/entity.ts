// The data model of the datastore as plain, frozen data. The bytes are those of the public v1 protobuf messages:
// entity-proto.ts.
import { type Key } from './key.ts';

/** What App Engine calls a property value, tagged by type because 4 and 4.0 are different values. */
export type ValueBody =
  | { readonly kind: 'null' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** Signed 64 bits. */
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'double'; readonly value: number }
  /** Microseconds since 1970-01-01T00:00:00Z; finer digits are cut. */
  | { readonly kind: 'timestamp'; readonly micros: bigint }
  | { readonly kind: 'key'; readonly value: Key }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'blob'; readonly value: Uint8Array }
  | { readonly kind: 'geoPoint'; readonly latitude: number; readonly longitude: number }
  /** An embedded entity; its key is optional and may be incomplete. */
  | { readonly kind: 'entity'; readonly value: EmbeddedEntity }
  /** Never directly inside another array. */
  | { readonly kind: 'array'; readonly values: readonly Value[] };

export type Value = ValueBody & {
  /** Legacy meaning number, kept as it came (NDB uses 22 for compressed values). */
  readonly meaning?: number;
  readonly excludeFromIndexes?: boolean;
};

export type Properties = Readonly<Record<string, Value>>;

export interface EmbeddedEntity {
  readonly key?: Key;
  readonly properties: Properties;
}

export interface Entity {
  readonly key: Key;
  /** A record without a prototype, so that any property name is safe. */
  readonly properties: Properties;
}
