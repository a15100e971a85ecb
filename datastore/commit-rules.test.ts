// What a commit of the public API may ask beyond what the SDK's wire asks: conflicts, masks, transforms, and what it is told.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeEntity, decodeKey, encodeEntity, encodeKey } from '../sdk/contract/entity-proto.ts';
import { type Properties, type Value } from '../sdk/contract/entity.ts';
import { type Key } from '../sdk/contract/key.ts';
import { type VirtualTime } from '../sdk/support/virtual-time.ts';
import { parsePropertyPath } from './codec/property-path.ts';
import { type CommitOptions, type Datastore } from './datastore.ts';
import { APP, get, key, namesOf, openDatastore, type Plain, properties, query, remove, value, where, write } from './fixture.ts';
import { scatteredId } from './transaction/id-allocator.ts';
import { type CommitOutcome, type CommitResult, type Mutation, type PropertyTransform } from './transaction/mutation.ts';

let datastore: Datastore;
let time: VirtualTime;
let rowsWritten: number;
beforeEach(async () => {
  ({ datastore, time } = await openDatastore({ onWrote: (_, rows) => (rowsWritten += rows) }));
  rowsWritten = 0;
});
afterEach(() => datastore.close());

const A = key('K', 'a');
const B = key('K', 'b');
const commit = (mutations: readonly Mutation[], options?: CommitOptions): Promise<CommitOutcome> =>
  datastore.commit(APP, mutations, options);
const one = async (mutation: Mutation): Promise<CommitResult> => {
  const [result] = (await commit([mutation])).results;
  if (!result) throw new Error('no result');
  return result;
};
const put = (at: Key, plain: Readonly<Record<string, Plain>>, rest: Partial<Mutation> = {}): Mutation =>
  ({ ...write('upsert', at, plain), ...rest }) as Mutation;
const mask = (...paths: string[]): Pick<Mutation, 'mask'> => ({ mask: paths.map(parsePropertyPath) });
const stored = async (at: Key): Promise<Properties | undefined> => {
  const entity = await get(datastore, at);
  return entity && { ...entity.properties };
};
const transform = (path: string, rest: object): PropertyTransform => ({ path: parsePropertyPath(path), ...rest }) as PropertyTransform;
const increment = (path: string, by: bigint | number): PropertyTransform => transform(path, { kind: 'increment', operand: value(by) });
const refused = (code: string, text: RegExp): object => ({ code, message: expect.stringMatching(text) as unknown });

describe('what a commit answers', () => {
  it('is when the entity was made and changed; nothing after a delete', async () => {
    const made = await one(put(A, { n: 1n }));
    expect(made).toEqual({ version: made.version, createdMicros: made.version, updatedMicros: made.version });
    const changed = await one(put(A, { n: 2n }));
    expect(changed).toEqual({ version: changed.version, createdMicros: made.version, updatedMicros: changed.version });
    expect(changed.version).toBeGreaterThan(made.version);
    const deleted = await one(remove(A));
    expect(Object.keys(deleted)).toEqual(['version']);
    expect(deleted.version).toBeGreaterThan(changed.version);
  });

  it('is, of an entity that is not there, a version between all that were and all that will be', async () => {
    const { version: before } = await one(put(B, {}));
    const { version: nothing } = await one(remove(A));
    const { version: after } = await one(put(A, {}));
    expect([before < nothing, nothing < after]).toEqual([true, true]);
  });

  it('counts the index entries that changed', async () => {
    const updates = async (mutation: Mutation): Promise<number> => (await commit([mutation])).indexUpdates;
    expect(await updates(put(A, { n: 1n, m: 1n }))).toBe(3);
    expect(await updates(put(A, { n: 2n, m: 1n }))).toBe(2);
    expect(await updates(put(A, { n: 2n, m: 1n }))).toBe(0);
    expect(await updates(remove(A))).toBe(3);
    expect(await updates(remove(A))).toBe(0);
  });

  it('has a time of creation of its own for what is deleted and written again in one commit', async () => {
    const first = await one(put(A, { n: 1n }));
    const { results, commitTimeMicros } = await commit([remove(A), put(A, { n: 1n })]);
    expect(commitTimeMicros).toBeGreaterThan(first.version);
    expect(results).toEqual([
      { version: commitTimeMicros },
      { version: commitTimeMicros, createdMicros: commitTimeMicros, updatedMicros: commitTimeMicros },
    ]);
  });
});

describe('writing what is there already', () => {
  it('changes nothing: not the version, no index rows, no history; its own row is written and counted', async () => {
    const first = await one(put(A, { n: 1n, t: 'x' }));
    time.advance(5_000);
    rowsWritten = 0;
    for (const mutation of [put(A, { n: 1n, t: 'x' }), write('update', A, { n: 1n, t: 'x' }), put(A, { n: 7n }, mask())]) {
      expect(await one(mutation)).toEqual(first);
    }
    expect(rowsWritten).toBe(3);
    expect(await datastore.lookup(APP, [encodeKey(A)])).toMatchObject({ found: [{ version: first.version }] });
  });

  it('is that in any order of the properties, of embedded entities too', async () => {
    const inner = (reversed: boolean): Value => ({
      kind: 'entity',
      value: { properties: ordered({ x: value(1n), y: value(2n) }, reversed) },
    });
    const ordered = (from: Properties, reversed: boolean): Properties => {
      const entries = Object.entries(from);
      return Object.fromEntries(reversed ? entries.reverse() : entries);
    };
    const whole = (reversed: boolean): Mutation => ({
      op: 'upsert',
      entity: encodeEntity({
        key: A,
        properties: ordered({ a: value(1n), e: inner(reversed), l: { kind: 'array', values: [inner(reversed)] } }, reversed),
      }),
    });
    const first = await one(whole(false));
    expect(await one(whole(true))).toEqual(first);
    // As long, with the same bytes, but not the same.
    const swapped = await one(put(B, { a: 1n, b: 2n }));
    expect((await one(put(B, { a: 2n, b: 1n }))).version).toBeGreaterThan(swapped.version);
  });

  it('still loses to who wrote what the transaction read, and makes those lose who read it', async () => {
    await datastore.settings.change(APP.appId, (settings) => ({ ...settings, concurrency: 'optimistic' }));
    await commit([put(A, { n: 1n }), put(B, { n: 1n })]);
    const transaction = await datastore.beginTransaction(APP);
    await get(datastore, B, transaction);
    await one(put(B, { n: 2n }));
    await expect(commit([put(A, { n: 1n })], { transaction })).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });

    const other = await datastore.beginTransaction(APP);
    await get(datastore, A, other);
    await one(put(A, { n: 1n }));
    await expect(commit([put(B, { n: 3n })], { transaction: other })).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });
  });
});

describe('a conflict', () => {
  it('is skipped on demand: what is stored stays and is answered, and the rest goes on', async () => {
    const first = await one(put(A, { n: 1n }));
    const second = await one(put(A, { n: 2n }));
    await one(put(key('K', 'd'), { n: 4n }));
    const { results, commitTimeMicros } = await commit([
      put(A, { n: 9n }, { baseVersion: first.version, onConflict: 'skip', transforms: [increment('n', 1n)] }),
      put(B, { n: 1n }),
      { ...remove(A), updateTime: first.version, onConflict: 'skip' },
      put(key('K', 'c'), {}, { baseVersion: 0n, onConflict: 'skip' }),
      { ...write('insert', key('K', 'd'), {}), baseVersion: 0n, onConflict: 'skip' },
      { ...remove(key('K', 'gone')), baseVersion: first.version, onConflict: 'skip' },
    ]);
    expect(results.map(({ isConflict = false }) => isConflict)).toEqual([true, false, true, false, true, true]);
    expect(results[0]).toEqual({ ...second, isConflict: true });
    expect(results[2]).toEqual({ ...second, isConflict: true });
    expect(results[5]).toEqual({ version: commitTimeMicros, isConflict: true });
    expect(await stored(A)).toEqual(properties({ n: 2n }));
    expect(await stored(B)).toEqual(properties({ n: 1n }));
    expect(await stored(key('K', 'c'))).toEqual({});
    expect(await stored(key('K', 'd'))).toEqual(properties({ n: 4n }));
  });

  it.each([{ onConflict: 'fail' as const }, {}])('else fails the whole commit: %o', async (rest) => {
    const first = await one(put(A, { n: 1n }));
    await one(put(A, { n: 2n }));
    for (const expectation of [{ baseVersion: first.version }, { updateTime: first.version }, { baseVersion: 0n }]) {
      await expect(commit([put(B, {}), put(A, { n: 9n }, { ...expectation, ...rest })])).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });
    }
    expect([await stored(A), await stored(B)]).toEqual([properties({ n: 2n }), undefined]);
  });

  it('that skips all of a commit is decided on one state of all that it looked at', async () => {
    const { version } = await one(put(A, { n: 1n }));
    await one(put(A, { n: 2n }));
    await datastore.settings.change(APP.appId, (settings) => ({ ...settings, concurrency: 'optimistic' }));
    const transaction = await datastore.beginTransaction(APP);
    await get(datastore, B, transaction);
    await one(put(B, { n: 1n }));
    const skipped = put(A, { n: 9n }, { baseVersion: version, onConflict: 'skip' });
    await expect(commit([skipped], { transaction })).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });
    rowsWritten = 0;
    expect((await one(skipped)).isConflict).toBe(true);
    expect(rowsWritten).toBe(0);
  });

  it.each<[string, Mutation, RegExp]>([
    [
      'an insert above version 0',
      { ...write('insert', A, {}), baseVersion: 1n },
      /Cannot insert an entity with a base version greater than zero/,
    ],
    ['an update of version 0', { ...write('update', A, {}), baseVersion: 0n }, /Cannot update an entity with a base version set to zero/],
    ['a version below 0', put(A, {}, { baseVersion: -1n }), /not negative/],
    ['a version yet to come', put(A, {}, { baseVersion: 2n ** 62n }), /Invalid base version, it is greater than the stored version/],
    ['an id yet to be allocated', put(key('K'), {}, { baseVersion: 0n }), /conflict detection is not allowed for incomplete keys/],
    [
      'an id yet to be allocated, and a time',
      put(key('K'), {}, { updateTime: 0n }),
      /conflict detection is not allowed for incomplete keys/,
    ],
  ])('is not looked for: %s', async (_, mutation, text) => {
    await one(put(A, {}));
    for (const onConflict of ['skip', 'fail'] as const) {
      await expect(commit([{ ...mutation, onConflict }])).rejects.toMatchObject(refused('DS_INVALID', text));
    }
  });
});

describe('mutations of one entity in one commit', () => {
  it('may not follow each other in every way, nor be several where they do not belong together', async () => {
    await expect(commit([put(A, {}), write('insert', A, {})])).rejects.toMatchObject(refused('DS_INVALID', /directly after its upsert/));
    await expect(commit([put(A, {}), put(B, {}), put(A, {})], { atomic: false })).rejects.toMatchObject(
      refused('DS_INVALID', /A non-transactional commit may not contain multiple mutations affecting the same entity\./),
    );
    expect(await stored(A)).toBeUndefined();
    await commit([put(A, { n: 1n }), put(B, {})], { atomic: false });
    expect(await stored(A)).toEqual(properties({ n: 1n }));
  });

  it('see what the ones before them have made', async () => {
    const { results } = await commit([
      { ...write('insert', A, { n: 1n, m: 1n }), transforms: [increment('n', 1n)] },
      put(A, { m: 5n }, { ...mask('m'), transforms: [increment('n', 10n), increment('m', 1n)] }),
      remove(A),
      put(A, { x: 1n, y: 2n }, { ...mask('x'), transforms: [increment('n', 3n)] }),
    ]);
    expect(results.map(({ transformResults }) => transformResults)).toEqual([[value(2n)], [value(12n), value(6n)], undefined, [value(3n)]]);
    expect(await stored(A)).toEqual(properties({ x: 1n, n: 3n }));
  });

  it('are not for a transaction and apart at once', async () => {
    const transaction = await datastore.beginTransaction(APP);
    await expect(commit([], { transaction, atomic: false })).rejects.toMatchObject(
      refused('DS_INVALID', /Non-transactional commit cannot specify a transaction\./),
    );
  });
});

describe('a mask', () => {
  it('writes what it names, deletes what it names and the entity lacks, and indexes the result', async () => {
    await one(put(A, { a: 1n, b: 1n, c: 1n }));
    const { version } = await one({ ...write('update', A, { a: 2n, b: 2n }), ...mask('a', 'c') });
    expect(await stored(A)).toEqual(properties({ a: 2n, b: 1n }));
    const found = async (property: string, plain: Plain): Promise<readonly string[]> =>
      namesOf(await datastore.runQuery(APP, query('K', { filter: where(property, '=', plain) })));
    expect(await Promise.all([found('a', 2n), found('a', 1n), found('b', 1n), found('b', 2n), found('c', 1n)])).toEqual([
      ['a'],
      [],
      ['a'],
      [],
      [],
    ]);
    expect(await one(put(A, { a: 2n, b: 9n }, mask('a', 'c')))).toMatchObject({ version });
  });

  it('makes of what is not there only what it names; an update needs the entity all the same', async () => {
    await one(put(A, { a: 1n, b: 1n }, mask('a', 'x')));
    expect(await stored(A)).toEqual(properties({ a: 1n }));
    const allocated = await one({ ...write('insert', key('K'), { a: 1n, b: 1n }), ...mask('b') });
    const { found } = await datastore.lookup(APP, [allocated.key ?? Buffer.alloc(0)]);
    expect(found.map(({ entity }) => ({ ...decodeEntity(entity).properties }))).toEqual([properties({ b: 1n })]);
    await expect(commit([{ ...write('update', B, { a: 1n }), ...mask('a') }])).rejects.toMatchObject({ code: 'DS_NOT_FOUND' });
    await one({ ...remove(A), ...mask('b') });
    expect(await stored(A)).toBeUndefined();
  });

  it.each<[string, Mutation, string, RegExp]>([
    ['a reserved name', put(A, {}, mask('__x__')), 'DS_INVALID', /The property\.name "__x__" is reserved\./],
    ['a reserved name within', put(A, {}, mask('e.__x__')), 'DS_INVALID', /reserved/],
    ['the key of an embedded entity', put(A, {}, mask('e.__key__')), 'DS_INVALID', /reserved/],
    ['a long name', put(A, {}, mask('x'.repeat(1_501))), 'DS_LIMIT', /1500/],
    ['more names than entities nest', put(A, {}, mask(Array(22).fill('e').join('.'))), 'DS_LIMIT', /22 names/],
    ['reserved properties, though it does not name them', put(A, { __x__: 1n }, mask('a')), 'DS_INVALID', /reserved/],
    ['an array that it leads into', put(A, { l: [1n] }, mask('l.x')), 'DS_INVALID', /"l", which is an array/],
  ])('is refused: %s', async (_, mutation, code, text) => {
    await expect(commit([mutation])).rejects.toMatchObject(refused(code, text));
  });

  it('may name the key', async () => {
    await one(put(A, { a: 1n, b: 1n }, mask('__key__', 'a')));
    expect(await stored(A)).toEqual(properties({ a: 1n }));
  });

  it('holds the limits for what comes out, not for what is sent', async () => {
    await one(put(A, { a: 1n }));
    // Too long for an index, but not written.
    await one(put(A, { a: 2n, t: 'x'.repeat(2_000) }, mask('a')));
    await expect(commit([put(A, { t: 'x'.repeat(2_000) }, mask('t'))])).rejects.toMatchObject({ code: 'DS_LIMIT' });
    const half = { kind: 'blob', value: Buffer.alloc(600_000), excludeFromIndexes: true } as const;
    const blob = (name: string): Mutation => ({
      op: 'upsert',
      entity: encodeEntity({ key: A, properties: { [name]: half } }),
      ...mask(name),
    });
    await one(blob('p'));
    await expect(commit([blob('q')])).rejects.toMatchObject(refused('DS_LIMIT', /entity is too big/));
    expect(Object.keys((await stored(A)) ?? {})).toEqual(['a', 'p']);
  });
});

describe('transforms', () => {
  it('change what is there, in order, whatever the mask, and answer what came out', async () => {
    await one(put(A, { n: 1n, keep: 'x' }));
    const { transformResults } = await one(
      put(
        A,
        { n: 100n },
        {
          ...mask('other'),
          transforms: [
            increment('n', 2n),
            transform('n', { kind: 'maximum', operand: value(2.5) }),
            transform('n', { kind: 'minimum', operand: value(1.5) }),
            transform('l', { kind: 'append-missing', elements: [value(1n), value(1.0), value(2n)] }),
            transform('l', { kind: 'remove-all', elements: [value(1n)] }),
            increment('e.deep.n', 4n),
          ],
        },
      ),
    );
    expect(transformResults).toEqual([value(3n), value(3n), value(1.5), value(null), value(null), value(4n)]);
    const deep: Value = {
      kind: 'entity',
      value: { properties: { deep: { kind: 'entity', value: { properties: properties({ n: 4n }) } } } },
    };
    expect(await stored(A)).toEqual({ ...properties({ n: 1.5, keep: 'x', l: [2n] }), e: deep });
    expect(namesOf(await datastore.runQuery(APP, query('K', { filter: where('e.deep.n', '=', 4n) })))).toEqual(['a']);
  });

  it('without a mask begin with what is sent', async () => {
    await one(put(A, { n: 1n, old: 1n }));
    await one(put(A, { n: 10n }, { transforms: [increment('n', 1n)] }));
    expect(await stored(A)).toEqual(properties({ n: 11n }));
  });

  it('set one time in all of a commit, of a whole millisecond', async () => {
    const now = transform('at', { kind: 'request-time' });
    const { results } = await commit([
      put(A, { at: 'text' }, { transforms: [now, transform('e.at', { kind: 'request-time' })] }),
      put(B, {}, { transforms: [now] }),
    ]);
    const wanted: Value = { kind: 'timestamp', micros: BigInt(time.nowMs()) * 1_000n };
    expect(results.map(({ transformResults }) => transformResults)).toEqual([[wanted, wanted], [wanted]]);
    expect((await stored(B))?.at).toEqual(wanted);
  });

  it('leave a property out of the indexes that was left out, or that the operand leaves out', async () => {
    const hidden = { excludeFromIndexes: true };
    const entity = encodeEntity({ key: A, properties: { n: { ...value(1n), ...hidden }, t: { ...value('x'), ...hidden }, m: value(1n) } });
    await one({
      op: 'upsert',
      entity,
      transforms: [
        increment('n', 1n),
        transform('t', { kind: 'request-time' }),
        transform('m', { kind: 'increment', operand: { ...value(1n), ...hidden } }),
        increment('new', 1n),
      ],
    });
    const after = await stored(A);
    expect(Object.entries(after ?? {}).map(([name, { excludeFromIndexes = false }]) => [name, excludeFromIndexes])).toEqual([
      ['n', true],
      ['t', true],
      ['m', true],
      ['new', false],
    ]);
  });

  it('that change nothing leave the version as it is', async () => {
    const first = await one(put(A, { n: 5n, l: [1n] }));
    const same = await one(
      put(
        A,
        {},
        {
          ...mask(),
          transforms: [
            transform('n', { kind: 'maximum', operand: { ...value(5.0), excludeFromIndexes: true } }),
            transform('l', { kind: 'append-missing', elements: [value(1.0)] }),
            increment('n', 0n),
          ],
        },
      ),
    );
    expect(same).toEqual({ ...first, transformResults: [value(5n), value(null), value(5n)] });
  });

  it.each<[string, Mutation, string, RegExp]>([
    ['of a delete', { ...remove(A), transforms: [increment('n', 1n)] }, 'DS_INVALID', /property_transforms are not for a delete/],
    ...(['increment', 'maximum', 'minimum'] as const).map((kind): [string, Mutation, string, RegExp] => [
      `${kind} by text`,
      put(A, {}, { transforms: [transform('e.n', { kind, operand: value('1') })] }),
      'DS_INVALID',
      new RegExp(`the transform of "e\\.n": ${kind} must be an integer or a double value, not one of type string`),
    ]),
    [
      'an array in an array',
      put(A, {}, { transforms: [transform('l', { kind: 'append-missing', elements: [value([1n])] })] }),
      'DS_INVALID',
      /list_value cannot contain/,
    ],
    ['a reserved name', put(A, {}, { transforms: [increment('__x__', 1n)] }), 'DS_INVALID', /reserved/],
    ['the key', put(A, {}, { transforms: [increment('__key__', 1n)] }), 'DS_INVALID', /reserved/],
    ['below an array', put(A, { l: [1n] }, { transforms: [increment('l.n', 1n)] }), 'DS_INVALID', /"l", which is an array/],
    [
      'below an array that a transform made',
      put(A, {}, { transforms: [transform('l', { kind: 'remove-all', elements: [] }), increment('l.n', 1n)] }),
      'DS_INVALID',
      /"l", which is an array/,
    ],
    ['deeper than entities nest', put(A, {}, { transforms: [increment(Array(22).fill('e').join('.'), 1n)] }), 'DS_LIMIT', /22 names/],
    [
      'a value that only projections have',
      put(A, {}, { transforms: [transform('l', { kind: 'append-missing', elements: [{ ...value(1n), meaning: 18 }] })] }),
      'DS_INVALID',
      /projection/,
    ],
    [
      'an element too long to index',
      put(A, {}, { transforms: [transform('l', { kind: 'append-missing', elements: [value('x'.repeat(1_501))] })] }),
      'DS_LIMIT',
      /longer than 1500/,
    ],
  ])('are refused: %s', async (_, mutation, code, text) => {
    await expect(commit([mutation])).rejects.toMatchObject(refused(code, text));
    expect(await stored(A)).toBeUndefined();
  });

  it('are worked out anew when another commit came first: none of many at once is lost', async () => {
    await one(put(A, { n: 0n }));
    const count = 40;
    const results = await Promise.all(
      Array.from({ length: count }, () => one(put(A, {}, { ...mask(), transforms: [increment('n', 1n)] }))),
    );
    expect(await stored(A)).toEqual(properties({ n: BigInt(count) }));
    const answered = results.map(({ transformResults }) => transformResults?.[0]);
    expect(new Set(answered.map((one) => (one?.kind === 'integer' ? one.value : undefined))).size).toBe(count);
  });

  it('count what they bring against the bytes of a commit', async () => {
    const elements = [{ kind: 'blob', value: Buffer.alloc(1_000_000), excludeFromIndexes: true } as const];
    const mutations = Array.from({ length: 11 }, (_, at) =>
      put(key('K', `k${at}`), {}, { transforms: [transform('l', { kind: 'remove-all', elements })] }),
    );
    await expect(commit(mutations)).rejects.toMatchObject(refused('DS_LIMIT', /a commit has at most/));
    await commit(mutations.slice(1));
  });
});

describe('a transaction', () => {
  it('that has read an entity aborts who writes it from outside, and commits', async () => {
    await one(put(A, { n: 1n }));
    const transaction = await datastore.beginTransaction(APP);
    await get(datastore, A, transaction);
    const outside = commit([put(A, { n: 2n })]).catch((error: unknown) => error);
    await time.advanceAsync(5_001);
    expect(await outside).toMatchObject({ code: 'DS_TX_CONFLICT' });
    await commit([put(A, {}, { ...mask(), transforms: [increment('n', 10n)] })], { transaction });
    expect(await stored(A)).toEqual(properties({ n: 11n }));
  });

  it('may commit nothing, and is over then', async () => {
    const transaction = await datastore.beginTransaction(APP);
    expect(await commit([], { transaction })).toMatchObject({ results: [], indexUpdates: 0 });
    const over = { code: 'DS_TX_INVALID' };
    await expect(get(datastore, A, transaction)).rejects.toMatchObject(over);
    await expect(datastore.runQuery(APP, query('K'), { transaction })).rejects.toMatchObject(over);
    await expect(
      datastore.runAggregation(APP, { nested: query('K'), aggregations: [{ kind: 'count', alias: 'n' }] }, { transaction }),
    ).rejects.toMatchObject(over);
    await expect(commit([], { transaction })).rejects.toMatchObject(over);
    await expect(commit([put(A, {})], { transaction })).rejects.toMatchObject(over);
    await expect(datastore.rollback(APP, transaction)).rejects.toMatchObject(over);
  });

  it('that only reads takes no mutations', async () => {
    const transaction = await datastore.beginTransaction(APP, { readOnly: true });
    await expect(commit([put(A, {})], { transaction })).rejects.toMatchObject(
      refused('DS_INVALID', /Cannot modify entities in a read-only transaction\./),
    );
    await expect(commit([], { transaction })).rejects.toMatchObject({ code: 'DS_TX_INVALID' });
  });
});

describe('reserved ids', () => {
  it('of any element of the path are allocated neither by a call nor for a commit', async () => {
    const counters = [1, 2, 3, 4, 5];
    const [one1, two, three, four] = counters.map(scatteredId);
    await datastore.reserveIds(APP, [
      encodeKey(key('P', one1 ?? 0n, 'K', two ?? 0n)),
      encodeKey(key('K', 'name', 'K', three ?? 0n)),
      encodeKey(key('K', 'name')),
      encodeKey(key('K', 5n)),
    ]);
    const { keys } = await datastore.allocateIds(APP, [encodeKey(key('K'))]);
    const made = await one(put(key('Other'), {}));
    expect([keys[0], made.key].map((bytes) => bytes && decodeKey(bytes).path.at(-1)?.id)).toEqual([four, scatteredId(5)]);
  });

  it.each<[string, Key, string]>([
    ['an incomplete key', key('K'), 'DS_INVALID'],
    ["another app's key", { ...key('K', 1n), projectId: 'other' }, 'DS_FORBIDDEN'],
    ['a reserved kind', key('__K__', 1n), 'DS_INVALID'],
  ])('are not those of %s', async (_, at, code) => {
    await expect(datastore.reserveIds(APP, [encodeKey(at)])).rejects.toMatchObject({ code });
  });

  it('come at most 500 keys at a time', async () => {
    const keys = Array.from({ length: 501 }, (_, at) => encodeKey(key('K', BigInt(at + 1))));
    await expect(datastore.reserveIds(APP, keys)).rejects.toMatchObject({ code: 'DS_LIMIT' });
    await datastore.reserveIds(APP, keys.slice(1));
  });
});
