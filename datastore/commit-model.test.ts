// Commits with conflicts, masks and transforms against entities as plain maps: every answer, and what is stored after it.
import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { decodeEntity, encodeEntity, encodeKey } from '../sdk/contract/entity-proto.ts';
import { type Value } from '../sdk/contract/entity.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Key } from '../sdk/contract/key.ts';
import { APP, key, namesOf, openDatastore, query, value, where } from './fixture.ts';
import { LevelStore } from './storage/level-store.ts';
import { type Store } from './storage/port.ts';
import { type Mutation, type PropertyTransform } from './transaction/mutation.ts';

/** bigint: an integer, number: a double. */
type Plain = bigint | number | readonly (bigint | number)[] | PlainEntity;
interface PlainEntity {
  readonly [name: string]: Plain;
}
interface Stored {
  readonly plain: PlainEntity;
  readonly version: bigint;
  readonly created: bigint;
}
type State = Map<string, Stored>;

interface ModelTransform {
  readonly path: readonly string[];
  readonly kind: 'increment' | 'maximum' | 'minimum' | 'append-missing' | 'remove-all';
  readonly numbers: readonly (bigint | number)[];
}
interface ModelMutation {
  readonly op: Mutation['op'];
  readonly name: string;
  readonly plain: PlainEntity;
  readonly base: 'none' | 'version' | 'old' | 'time' | 'absent';
  readonly onConflict: 'skip' | 'fail';
  readonly mask: readonly (readonly string[])[] | undefined;
  readonly transforms: readonly ModelTransform[];
}

const isEntity = (plain: Plain | undefined): plain is PlainEntity => typeof plain === 'object' && !Array.isArray(plain);
const isList = (plain: Plain | undefined): plain is readonly (bigint | number)[] => Array.isArray(plain);
const isSame = (left: bigint | number, right: bigint | number): boolean => Number(left) === Number(right);

function toValue(plain: Plain): Value {
  if (!isEntity(plain)) return isList(plain) ? value(plain) : value(plain);
  return { kind: 'entity', value: { properties: Object.fromEntries(Object.entries(plain).map(([name, one]) => [name, toValue(one)])) } };
}

const without = (plain: PlainEntity, name: string): PlainEntity =>
  Object.fromEntries(Object.entries(plain).filter(([one]) => one !== name));

/** Throws DS_INVALID for a path into a list. */
function masked(into: PlainEntity, from: PlainEntity, [name = '', ...rest]: readonly string[]): PlainEntity {
  const [target, source] = [into[name], from[name]];
  if (rest.length === 0) return source === undefined ? without(into, name) : { ...into, [name]: source };
  if (isList(target) || isList(source)) throw new PlatformError('DS_INVALID', 'a list');
  const part = masked(isEntity(target) ? target : {}, isEntity(source) ? source : {}, rest);
  return isEntity(target) || Object.keys(part).length > 0 ? { ...into, [name]: part } : into;
}

function transformed(into: PlainEntity, [name = '', ...rest]: readonly string[], { kind, numbers }: ModelTransform): PlainEntity {
  const stored = into[name];
  if (rest.length > 0) {
    if (isList(stored)) throw new PlatformError('DS_INVALID', 'a list');
    return { ...into, [name]: transformed(isEntity(stored) ? stored : {}, rest, { path: rest, kind, numbers }) };
  }
  if (kind === 'append-missing' || kind === 'remove-all') {
    const list = isList(stored) ? [...stored] : [];
    if (kind === 'remove-all') return { ...into, [name]: list.filter((one) => !numbers.some((other) => isSame(one, other))) };
    for (const one of numbers) if (!list.some((other) => isSame(one, other))) list.push(one);
    return { ...into, [name]: list };
  }
  const operand = numbers[0] ?? 0n;
  if (typeof stored !== 'bigint' && typeof stored !== 'number') return { ...into, [name]: operand };
  if (kind === 'increment') {
    const sum = typeof stored === 'bigint' && typeof operand === 'bigint' ? stored + operand : Number(stored) + Number(operand);
    return { ...into, [name]: sum };
  }
  const isBeyond = kind === 'maximum' ? Number(operand) > Number(stored) : Number(operand) < Number(stored);
  return { ...into, [name]: isBeyond ? operand : stored };
}

/** What a commit leads to; versions that it gives are undefined. */
interface Outcome {
  readonly state: ReadonlyMap<string, PlainEntity>;
  readonly conflicts: readonly boolean[];
  readonly deleted: ReadonlySet<string>;
}

const RULES = new Set(['insert insert', 'update insert', 'upsert insert', 'delete update']);

function outcomeOf(state: State, mutations: readonly ModelMutation[], isAtomic: boolean): Outcome {
  const refuse = (code: 'DS_INVALID' | 'DS_TX_CONFLICT' | 'DS_ALREADY_EXISTS' | 'DS_NOT_FOUND'): never => {
    throw new PlatformError(code, 'model');
  };
  const baseOf = ({ base, name }: ModelMutation): bigint | undefined =>
    base === 'version' ? (state.get(name)?.version ?? 0n) : base === 'old' ? 1n : base === 'absent' ? 0n : undefined;
  for (const mutation of mutations) {
    const base = baseOf(mutation);
    if (base !== undefined && ((mutation.op === 'insert' && base > 0n) || (mutation.op === 'update' && base === 0n))) refuse('DS_INVALID');
  }
  for (const name of new Set(mutations.map((one) => one.name))) {
    const group = mutations.filter((one) => one.name === name);
    if (!isAtomic && group.length > 1) refuse('DS_INVALID');
    if (group.some(({ op }, at) => at > 0 && RULES.has(`${group[at - 1]?.op} ${op}`))) refuse('DS_INVALID');
    if (new Set(group.map(baseOf).filter((base) => base !== undefined)).size > 1) refuse('DS_INVALID');
  }
  const next = new Map([...state].map(([name, { plain }]) => [name, plain]));
  const deleted = new Set<string>();
  const conflicts = mutations.map((mutation): boolean => {
    const { op, name, plain, mask, transforms, onConflict } = mutation;
    const stored = state.get(name);
    const base = baseOf(mutation);
    const isConflict = (base !== undefined && base !== (stored?.version ?? 0n)) || (mutation.base === 'time' && !stored);
    if (isConflict && onConflict === 'fail') refuse('DS_TX_CONFLICT');
    if (isConflict) return true;
    const before = next.get(name);
    if (op === 'insert' && before) refuse('DS_ALREADY_EXISTS');
    if (op === 'update' && !before) refuse('DS_NOT_FOUND');
    if (op === 'delete') {
      next.delete(name);
      deleted.add(name);
      return false;
    }
    const merged = mask ? mask.reduce((into, path) => masked(into, plain, path), before ?? {}) : plain;
    next.set(
      name,
      transforms.reduce((into, transform) => transformed(into, transform.path, transform), merged),
    );
    return false;
  });
  return { state: next, conflicts, deleted };
}

const keyOf = (name: string): Key => key('K', name);

function toWire(mutation: ModelMutation, state: State): Mutation {
  const { op, name, plain, base, onConflict, mask, transforms } = mutation;
  const stored = state.get(name);
  const conflict = {
    ...(base === 'version' ? { baseVersion: stored?.version ?? 0n } : {}),
    ...(base === 'old' ? { baseVersion: 1n } : {}),
    ...(base === 'absent' ? { baseVersion: 0n } : {}),
    ...(base === 'time' ? { updateTime: stored?.version ?? 1n } : {}),
    onConflict,
  };
  if (op === 'delete') return { op, key: encodeKey(keyOf(name)), ...conflict };
  const properties = Object.fromEntries(Object.entries(plain).map(([one, it]) => [one, toValue(it)]));
  return {
    op,
    entity: encodeEntity({ key: keyOf(name), properties }),
    ...conflict,
    ...(mask ? { mask } : {}),
    transforms: transforms.map(({ path, kind, numbers }): PropertyTransform => {
      if (kind === 'append-missing' || kind === 'remove-all') return { path, kind, elements: numbers.map(value) };
      return { path, kind, operand: value(numbers[0] ?? 0n) };
    }),
  };
}

const number = fc.constantFrom<bigint | number>(0n, 1n, 2n, 0, 1, 1.5);
const list = fc.array(number, { maxLength: 3 });
const entityOf = (inner: fc.Arbitrary<Plain>): fc.Arbitrary<PlainEntity> =>
  fc.dictionary(fc.constantFrom('a', 'b', 'e'), inner, { maxKeys: 3, noNullPrototype: true });
const plain = entityOf(fc.oneof(number, number, list, entityOf(fc.oneof(number, entityOf(number)))));
const path = fc.array(fc.constantFrom('a', 'b', 'e'), { minLength: 1, maxLength: 3 });
/** Paths of which none is the beginning of another: with those, their order would matter to the model. */
const mask = fc
  .array(path, { maxLength: 3 })
  .map((paths) =>
    paths.filter(
      (one, at) =>
        !paths.some(
          (other, place) => place !== at && other.every((name, index) => one[index] === name) && (other.length < one.length || place < at),
        ),
    ),
  );
const transform = fc.record({
  path,
  kind: fc.constantFrom('increment' as const, 'maximum' as const, 'minimum' as const, 'append-missing' as const, 'remove-all' as const),
  numbers: fc.array(number, { minLength: 1, maxLength: 3 }),
});
const mutation: fc.Arbitrary<ModelMutation> = fc.record({
  op: fc.constantFrom('upsert' as const, 'upsert' as const, 'update' as const, 'insert' as const, 'delete' as const),
  name: fc.constantFrom('x', 'y'),
  plain,
  base: fc.constantFrom(
    'none' as const,
    'none' as const,
    'none' as const,
    'version' as const,
    'old' as const,
    'time' as const,
    'absent' as const,
  ),
  onConflict: fc.constantFrom('skip' as const, 'skip' as const, 'fail' as const),
  mask: fc.option(mask, { nil: undefined }),
  transforms: fc.oneof(fc.constant([]), fc.array(transform, { maxLength: 3 })),
});
const commits = fc.array(
  fc.record({ mutations: fc.array(mutation, { minLength: 1, maxLength: 3 }), isAtomic: fc.boolean(), isWithin: fc.boolean() }),
  {
    minLength: 1,
    maxLength: 12,
  },
);

type Commits = typeof commits extends fc.Arbitrary<infer T> ? T : never;

async function follow(store: Store | undefined, all: Commits): Promise<void> {
  const { datastore } = await openDatastore(store ? { store } : {});
  try {
    const state: State = new Map();
    for (const { mutations, isAtomic, isWithin } of all) {
      const transaction = isAtomic && isWithin ? await datastore.beginTransaction(APP) : undefined;
      const wire = mutations.map((one) => toWire(one, state));
      const answer = await datastore
        .commit(APP, wire, { atomic: isAtomic, ...(transaction ? { transaction } : {}) })
        .catch((error: unknown) => error as PlatformError);
      let wanted: Outcome;
      try {
        wanted = outcomeOf(state, mutations, isAtomic);
      } catch (error) {
        expect(answer).toMatchObject({ code: (error as PlatformError).code });
        continue;
      }
      if (answer instanceof PlatformError) throw answer;
      expect(answer.results.map(({ isConflict = false }) => isConflict)).toEqual(wanted.conflicts);
      for (const name of ['x', 'y']) {
        const [stored, now] = [state.get(name), wanted.state.get(name)];
        if (!now) state.delete(name);
        else if (!stored || wanted.deleted.has(name))
          state.set(name, { plain: now, version: answer.commitTimeMicros, created: answer.commitTimeMicros });
        else if (!isDeepStrictEqual(stored.plain, now)) state.set(name, { ...stored, plain: now, version: answer.commitTimeMicros });
      }
      for (const [at, { name }] of mutations.entries()) {
        const result = answer.results[at];
        const after = state.get(name);
        if (result?.createdMicros !== undefined && after) {
          expect(result).toMatchObject({ version: after.version, createdMicros: after.created, updatedMicros: after.version });
        }
      }
      const { found } = await datastore.lookup(
        APP,
        ['x', 'y'].map((name) => encodeKey(keyOf(name))),
      );
      const read = found.map(({ entity, version }) => ({ version, properties: { ...decodeEntity(entity).properties } }));
      const model = ['x', 'y'].flatMap((name) => {
        const one = state.get(name);
        if (!one) return [];
        return [
          {
            version: one.version,
            properties: Object.fromEntries(Object.entries(one.plain).map(([property, it]) => [property, toValue(it)])),
          },
        ];
      });
      expect(read).toEqual(model);
      for (const wantedValue of [0n, 1n, 2n, 1.5]) {
        const hits = namesOf(await datastore.runQuery(APP, query('K', { filter: where('a', '=', wantedValue) })));
        const has = (it: Plain | undefined): boolean => (isList(it) ? it.includes(wantedValue) : it === wantedValue);
        expect(hits).toEqual(['x', 'y'].filter((name) => has(state.get(name)?.plain['a'])));
      }
    }
  } finally {
    await datastore.close();
  }
}

describe('commits do what they do to plain maps', () => {
  it('on memory', async () => {
    await fc.assert(
      fc.asyncProperty(commits, (all) => follow(undefined, all)),
      { numRuns: 150 },
    );
  });

  it('on LevelDB', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'commit-model-'));
    let run = 0;
    try {
      await fc.assert(
        fc.asyncProperty(commits, (all) => follow(new LevelStore(join(directory, String(run++))), all)),
        { numRuns: 5 },
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
