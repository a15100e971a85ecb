// What is done to the datastore and its model, as plain data, and how to make it up.
import { type Properties, type Value } from '../../../sdk/contract/entity.ts';
import { type IndexDefinition } from '../../../sdk/contract/index-definition.ts';
import { type Key, type PathElement } from '../../../sdk/contract/key.ts';
import { type AggregationFunction, type Filter, type Order, type PropertyOperator, type Query } from '../../../sdk/contract/query.ts';
import { type Random } from '../../../sdk/support/clock.ts';

/** `base` asks for a base version: that of the stored entity, or one that is wrong. */
export type ModelMutation =
  | { readonly op: 'insert' | 'update' | 'upsert'; readonly key: Key; readonly properties: Properties; readonly base?: 'stored' | 'wrong' }
  | { readonly op: 'delete'; readonly key: Key; readonly base?: 'stored' | 'wrong' };

/** `slot` names a transaction that an earlier operation has begun. */
export type Operation =
  /** `past` makes it read the state that one of the latest commits left. */
  | { readonly kind: 'begin'; readonly slot: number; readonly readOnly: boolean; readonly past?: number }
  | { readonly kind: 'rollback'; readonly slot: number }
  | { readonly kind: 'commit'; readonly slot?: number; readonly mutations: readonly ModelMutation[] }
  | { readonly kind: 'lookup'; readonly slot?: number; readonly keys: readonly Key[] }
  | { readonly kind: 'query'; readonly slot?: number; readonly query: Query; readonly batch: number }
  /** Goes on with an earlier query, behind one of its results, whatever was written since. */
  | { readonly kind: 'continue'; readonly slot?: number; readonly choice: number }
  | {
      readonly kind: 'aggregate';
      readonly slot?: number;
      readonly query: Query;
      readonly aggregations: readonly (AggregationFunction & { readonly alias: string })[];
    }
  /** A read of the state that one of the latest commits left. */
  | { readonly kind: 'past'; readonly choice: number; readonly read: ReadOperation }
  | { readonly kind: 'index'; readonly definition: IndexDefinition }
  | { readonly kind: 'unindex'; readonly choice: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'wait'; readonly ms: number };

export type ReadOperation = Extract<Operation, { kind: 'lookup' | 'query' | 'continue' | 'aggregate' }>;

export const SLOTS = 3;

const KINDS = ['A', 'B'];
const NAMES = ['1', '2', 'é', '\u{10400}', '\uffee', 'a b'];
const PROPERTIES = ['a', 'b', 'c', 'e.x'];

const integer = (value: bigint): Value => ({ kind: 'integer', value });
const text = (value: string): Value => ({ kind: 'string', value });
const double = (value: number): Value => ({ kind: 'double', value });

const COMMON: readonly Value[] = [integer(1n), integer(2n), integer(3n), text('a'), text('b'), double(1.5), { kind: 'null' }];
const RARE: readonly Value[] = [
  integer(-5n),
  integer(2n ** 62n),
  integer(-(2n ** 63n)),
  { kind: 'timestamp', micros: 2n },
  { kind: 'timestamp', micros: -7n },
  { kind: 'boolean', value: false },
  { kind: 'boolean', value: true },
  { kind: 'blob', value: Buffer.alloc(0) },
  { kind: 'blob', value: Buffer.from([0]) },
  { kind: 'blob', value: Buffer.from([0, 255]) },
  text(''),
  text('a\0'),
  text('é'),
  text('\uffee'),
  text('\u{10400}'),
  double(-Infinity),
  double(-1.5),
  double(-0),
  double(0),
  double(NaN),
  double(Infinity),
  { kind: 'geoPoint', latitude: 1, longitude: 2 },
  { kind: 'geoPoint', latitude: -1, longitude: 2 },
  { kind: 'geoPoint', latitude: 1, longitude: -180 },
];

export class Generator {
  readonly #random: Random;
  readonly #open = new Set<number>();
  readonly #keys: readonly Key[];
  /** Of the query that is being made, so that keys in its filters are of its namespace too. */
  #namespace = '';

  constructor(random: Random) {
    this.#random = random;
    this.#keys = Array.from({ length: 22 }, () => this.#newKey());
  }

  next(): Operation {
    const dice = this.#pick(100);
    if (dice < 30) return { kind: 'commit', mutations: this.#mutations() };
    if (dice < 66) return this.#read();
    if (dice < 71) return { kind: 'past', choice: this.#pick(1_000), read: this.#read() };
    if (dice < 73) return { kind: 'index', definition: this.#index() };
    if (dice < 75) return { kind: 'unindex', choice: this.#pick(1_000) };
    if (dice < 76) return { kind: 'restart' };
    if (dice < 78) return { kind: 'wait', ms: [10, 1_000, 20_000, 61_000][this.#pick(4)] ?? 0 };
    return this.#ofTransaction(this.#pick(SLOTS));
  }

  #read(): ReadOperation {
    const dice = this.#pick(8);
    if (dice < 2) return { kind: 'lookup', keys: this.#someKeys(4) };
    if (dice < 6) return this.#query();
    return dice < 7 ? { kind: 'continue', choice: this.#pick(1_000) } : this.#aggregate();
  }

  #ofTransaction(slot: number): Operation {
    if (!this.#open.has(slot)) {
      this.#open.add(slot);
      const readOnly = this.#chance(0.3);
      return { kind: 'begin', slot, readOnly, ...(readOnly && this.#chance(0.4) ? { past: this.#pick(1_000) } : {}) };
    }
    const dice = this.#pick(10);
    if (dice < 3) return { kind: 'lookup', slot, keys: this.#someKeys(3) };
    if (dice < 5) return { ...this.#query(), slot };
    if (dice < 6) return this.#chance(0.5) ? { ...this.#aggregate(), slot } : { kind: 'continue', slot, choice: this.#pick(1_000) };
    this.#open.delete(slot);
    if (dice < 7) return { kind: 'rollback', slot };
    return { kind: 'commit', slot, mutations: this.#chance(0.15) ? [] : this.#mutations() };
  }

  #mutations(): readonly ModelMutation[] {
    const count = this.#chance(0.6) ? 1 : 1 + this.#pick(4);
    return Array.from({ length: count }, (_, at) => this.#mutation(count === 1 && at === 0));
  }

  #mutation(mayHaveBase: boolean): ModelMutation {
    const key = this.#oneOf(this.#keys);
    const base = mayHaveBase && this.#chance(0.15) ? { base: this.#chance(0.7) ? ('stored' as const) : ('wrong' as const) } : {};
    const dice = this.#pick(10);
    if (dice < 2) return { op: 'delete', key, ...base };
    const properties = this.#properties();
    if (dice < 3) {
      const last = key.path.at(-1);
      const path: readonly PathElement[] = [...key.path.slice(0, -1), { kind: last?.kind ?? 'A' }];
      return { op: this.#chance(0.5) ? 'insert' : 'upsert', key: { ...key, path }, properties };
    }
    return { op: dice < 5 ? 'insert' : dice < 7 ? 'update' : 'upsert', key, properties, ...(dice < 5 ? {} : base) };
  }

  #properties(): Properties {
    const properties: Record<string, Value> = {};
    for (const name of ['a', 'b', 'c']) if (this.#chance(0.75)) properties[name] = this.#propertyValue();
    if (this.#chance(0.3)) {
      const inner = { x: this.#propertyValue(), y: this.#value() };
      properties.e = { kind: 'entity', value: { properties: inner }, ...(this.#chance(0.1) ? { excludeFromIndexes: true } : {}) };
    }
    return properties;
  }

  #propertyValue(): Value {
    const dice = this.#pick(10);
    if (dice < 6) return this.#value();
    if (dice < 7) return { ...this.#value(), excludeFromIndexes: true };
    return { kind: 'array', values: Array.from({ length: this.#pick(4) }, () => this.#elementValue()) };
  }

  #elementValue(): Value {
    return this.#chance(0.1) ? { ...this.#value(), excludeFromIndexes: true } : this.#value();
  }

  #value(): Value {
    if (this.#chance(0.05)) return { kind: 'key', value: this.#oneOf(this.#keys) };
    return this.#oneOf(this.#chance(0.75) ? COMMON : RARE);
  }

  #query(): Extract<Operation, { kind: 'query' }> {
    const query = this.#chance(0.08) ? this.#kindless() : this.#ofKind();
    return { kind: 'query', query, batch: this.#chance(0.5) ? 1_000 : 1 + this.#pick(4) };
  }

  #base(): Pick<Query, 'databaseId' | 'namespace' | 'offset' | 'limit'> {
    this.#namespace = this.#chance(0.9) ? '' : 'n';
    return {
      databaseId: '',
      namespace: this.#namespace,
      offset: this.#chance(0.75) ? 0 : this.#pick(6),
      ...(this.#chance(0.7) ? {} : { limit: this.#pick(8) }),
    };
  }

  #kindless(): Query {
    const base = this.#base();
    const filters = [...(this.#chance(0.4) ? [this.#ancestor()] : []), ...(this.#chance(0.4) ? [this.#keyFilter()] : [])];
    const orders: readonly Order[] = this.#chance(0.3) ? [{ property: '__key__', direction: this.#chance(0.8) ? 'asc' : 'desc' }] : [];
    return { ...base, orders, ...all(filters), ...(this.#chance(0.3) ? { projection: ['__key__'] } : {}) };
  }

  #ofKind(): Query {
    const base = this.#base();
    const filter = this.#chance(0.75) ? this.#filter(2) : undefined;
    const orders: Order[] = [];
    for (const property of this.#shuffled(PROPERTIES).slice(0, this.#oneOf([0, 0, 1, 1, 2])))
      orders.push({ property, direction: this.#direction() });
    if (this.#chance(0.08)) orders.push({ property: '__key__', direction: this.#direction() });
    const shape = this.#pick(10);
    const some = this.#shuffled(PROPERTIES).slice(0, 1 + this.#pick(2));
    const result: Partial<Query> =
      shape < 5
        ? {}
        : shape < 7
          ? { projection: ['__key__'] }
          : shape < 9
            ? { projection: some }
            : this.#chance(0.5)
              ? { distinctOn: some }
              : { projection: some, distinctOn: some.slice(0, 1) };
    return { ...base, entityKind: this.#oneOf(KINDS), orders, ...(filter ? { filter } : {}), ...result };
  }

  #filter(depth: number): Filter {
    const dice = this.#pick(10);
    if (depth > 0 && dice < 4) return { kind: 'and', filters: Array.from({ length: 2 + this.#pick(2) }, () => this.#filter(depth - 1)) };
    if (depth > 0 && dice < 5) return { kind: 'or', filters: [this.#filter(depth - 1), this.#filter(depth - 1)] };
    if (this.#chance(0.12)) return this.#ancestor();
    if (this.#chance(0.06)) return this.#keyFilter();
    const property = this.#oneOf(PROPERTIES);
    const operator = this.#oneOf<PropertyOperator>(['=', '=', '=', '=', '<', '<=', '>', '>=', '!=', 'in', 'not-in']);
    if (operator !== 'in' && operator !== 'not-in') return { kind: 'property', property, operator, value: this.#value() };
    const values = Array.from({ length: 1 + this.#pick(3) }, () => this.#value());
    return { kind: 'property', property, operator, value: { kind: 'array', values } };
  }

  #ancestor(): Filter {
    const { path } = this.#oneOf(this.#keys);
    const key: Key = { projectId: '', databaseId: '', namespace: this.#namespace, path: path.slice(0, 1) };
    return { kind: 'property', property: '__key__', operator: 'has-ancestor', value: { kind: 'key', value: key } };
  }

  #keyFilter(): Filter {
    const key: Key = { ...this.#oneOf(this.#keys), namespace: this.#namespace };
    const operator = this.#oneOf<PropertyOperator>(['=', '<', '<=', '>', '>=']);
    return { kind: 'property', property: '__key__', operator, value: { kind: 'key', value: key } };
  }

  #aggregate(): Extract<Operation, { kind: 'aggregate' }> {
    const { databaseId, namespace, entityKind, filter, orders, offset, limit } = this.#ofKind();
    const query: Query = {
      databaseId,
      namespace,
      orders,
      offset,
      ...(entityKind === undefined ? {} : { entityKind }),
      ...(filter ? { filter } : {}),
      ...(limit === undefined ? {} : { limit }),
    };
    const aggregations = Array.from({ length: 1 + this.#pick(2) }, (_, at): AggregationFunction & { alias: string } => {
      const alias = `p${at}`;
      const dice = this.#pick(5);
      if (dice < 2) return { kind: 'count', alias, ...(this.#chance(0.3) ? { upTo: BigInt(this.#pick(4)) } : {}) };
      return { kind: dice < 4 ? 'sum' : 'avg', property: this.#oneOf(PROPERTIES), alias };
    });
    return { kind: 'aggregate', query, aggregations };
  }

  #index(): IndexDefinition {
    const names = this.#shuffled(PROPERTIES).slice(0, 1 + this.#pick(3));
    return {
      kind: this.#oneOf(KINDS),
      ancestor: this.#chance(0.3),
      properties: names.map((name) => ({ name, direction: this.#direction() })),
    };
  }

  #newKey(): Key {
    const element = (kind: string): PathElement =>
      this.#chance(0.3) ? { kind, id: BigInt(1 + this.#pick(3)) } : { kind, name: this.#oneOf(NAMES) };
    const kind = this.#oneOf(KINDS);
    const dice = this.#pick(10);
    const path = dice < 5 ? [element(kind)] : dice < 8 ? [{ kind: 'R', name: 'r' }, element(kind)] : [element('A'), element(kind)];
    return { projectId: '', databaseId: '', namespace: this.#chance(0.85) ? '' : 'n', path };
  }

  #someKeys(max: number): readonly Key[] {
    return Array.from({ length: 1 + this.#pick(max) }, () => this.#oneOf(this.#keys));
  }

  #direction(): 'asc' | 'desc' {
    return this.#chance(0.5) ? 'asc' : 'desc';
  }

  #shuffled<T>(from: readonly T[]): readonly T[] {
    return from
      .map((one) => ({ one, at: this.#random.fraction() }))
      .sort((left, right) => left.at - right.at)
      .map(({ one }) => one);
  }

  #oneOf<T>(from: readonly T[]): T {
    return from[this.#pick(from.length)]!;
  }

  #pick(below: number): number {
    return Math.floor(this.#random.fraction() * below);
  }

  #chance(of: number): boolean {
    return this.#random.fraction() < of;
  }
}

function all(filters: readonly Filter[]): { readonly filter?: Filter } {
  const [only] = filters;
  if (!only) return {};
  return { filter: filters.length === 1 ? only : { kind: 'and', filters } };
}
