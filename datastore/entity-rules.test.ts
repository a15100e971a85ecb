// What an entity may be (reference, sections 1.3, 1.7 and 3.6), and which of its values are indexed, through the facade.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeEntity, encodeEntity, encodeKey } from '../sdk/contract/entity-proto.ts';
import { type Properties, type Value } from '../sdk/contract/entity.ts';
import { type Key } from '../sdk/contract/key.ts';
import { type Datastore } from './datastore.ts';
import { and, APP, get, key, namesOf, openDatastore, query, value, where, withIndexes, write } from './fixture.ts';

let datastore: Datastore;
beforeEach(async () => {
  ({ datastore } = await openDatastore());
});
afterEach(() => datastore.close());

const put = async (at: Key, properties: Properties): Promise<void> => {
  await datastore.commit(APP, [{ op: 'upsert', entity: encodeEntity({ key: at, properties }) }]);
};
const text = (characters: string, rest: object = {}): Value => ({ kind: 'string', value: characters, ...rest });
const unindexed = { excludeFromIndexes: true };
const embedded = (properties: Properties, rest: object = {}): Value => ({ kind: 'entity', value: { properties }, ...rest });

function nested(depth: number): Value {
  let inner: Value = { kind: 'integer', value: 1n };
  for (let level = 0; level < depth; level++) inner = embedded({ x: inner });
  return inner;
}

describe('a property', () => {
  it.each<[string, Value, Value, string, RegExp]>([
    [
      'an indexed string of 1,500 bytes',
      text('é'.repeat(750)),
      text('é'.repeat(751)),
      'DS_LIMIT',
      /The value of property "p" is longer than 1500 bytes\./,
    ],
    [
      'an indexed blob of 1,500 bytes',
      { kind: 'blob', value: Buffer.alloc(1_500) },
      { kind: 'blob', value: Buffer.alloc(1_501) },
      'DS_LIMIT',
      /The value of property "p" is longer than 1500 bytes\./,
    ],
    [
      'an unindexed string of 1,048,487 bytes',
      text('x'.repeat(1_048_487), unindexed),
      text('x'.repeat(1_048_488), unindexed),
      'DS_LIMIT',
      /The value of property "p" is longer than 1048487 bytes\./,
    ],
    ['entities 20 deep', nested(20), embedded({}), '', /^$/],
    [
      'compressed bytes that are not indexed',
      text('z', { meaning: 22, ...unindexed }),
      text('z', { meaning: 22 }),
      'DS_INVALID',
      /meaning 22/,
    ],
    ['text that is not indexed', text('t', { meaning: 15, ...unindexed }), text('t', { meaning: 15 }), 'DS_INVALID', /meaning 15/],
    [
      'text in an entity that is not indexed',
      embedded({ t: text('t', { meaning: 15 }) }, unindexed),
      embedded({ t: text('t', { meaning: 15 }) }),
      'DS_INVALID',
      /meaning 15/,
    ],
    [
      'a link of 2,083 characters',
      text('l'.repeat(1_000), { meaning: 2 }),
      text('l'.repeat(2_084), { meaning: 2, ...unindexed }),
      'DS_LIMIT',
      /2083/,
    ],
    ['any other meaning', text('m', { meaning: 9 }), text('m', { meaning: 18 }), 'DS_INVALID', /came from a projection/],
    [
      'a place on the globe',
      { kind: 'geoPoint', latitude: -90, longitude: 180 },
      { kind: 'geoPoint', latitude: 90.1, longitude: 0 },
      'DS_INVALID',
      /Geo point latitude outside permitted range -90\.0 to 90\.0\./,
    ],
    [
      'a place on the globe',
      { kind: 'geoPoint', latitude: 90, longitude: -180 },
      { kind: 'geoPoint', latitude: 0, longitude: NaN },
      'DS_INVALID',
      /Geo point longitude outside permitted range -180\.0 to 180\.0\./,
    ],
    [
      'an array of values',
      value(['a', 1n, null]),
      { kind: 'array', values: [value(['a'])] },
      'DS_INVALID',
      /list_value cannot contain a Value containing another list_value\./,
    ],
  ])('may be %s, and no more', async (_, good, bad, code, reason) => {
    await put(key('K', 'good'), { p: good });
    expect((await get(datastore, key('K', 'good')))?.properties['p']).toEqual(good);
    if (code === '') return;
    await expect(put(key('K', 'bad'), { p: bad })).rejects.toMatchObject({ code, message: expect.stringMatching(reason) as string });
  });

  it.each<[string, string, RegExp]>([
    ['', 'DS_INVALID', /The property\.name is the empty string\./],
    ['__x__', 'DS_INVALID', /The property\.name "__x__" is reserved\./],
    ['é'.repeat(751), 'DS_LIMIT', /The property\.name is longer than 1500 bytes\./],
  ])('is not named %j', async (name, code, reason) => {
    for (const properties of [{ [name]: value(1n) }, { outer: embedded({ [name]: value(1n) }) }]) {
      await expect(put(key('K', 'x'), properties)).rejects.toMatchObject({ code, message: expect.stringMatching(reason) as string });
    }
    await put(key('K', 'x'), { ['é'.repeat(750)]: value(1n), __x: value(1n), x__: value(1n) });
  });

  it('that nests 21 deep is refused', async () => {
    await expect(put(key('K', 'x'), { p: nested(21) })).rejects.toMatchObject({
      code: 'DS_LIMIT',
      message: expect.stringMatching(/20/) as string,
    });
  });
});

it('keeps microseconds of a timestamp: the bytes that are stored say no more, however they are written', async () => {
  const sent = Buffer.from('0a0712050a014b10011a0e0a016112095207080110959aef3a', 'hex');
  const kept = '0a0161120952070801108094ef3a';
  const masked = { mask: [['a']] };
  for (const mutation of [
    { op: 'upsert' as const, entity: sent },
    { op: 'upsert' as const, entity: sent, ...masked },
  ]) {
    await datastore.commit(APP, [{ op: 'delete', key: encodeKey(key('K', 1n)) }]);
    await datastore.commit(APP, [mutation]);
    const [found] = (await datastore.lookup(APP, [encodeKey(key('K', 1n))])).found;
    expect(Buffer.from(found?.entity ?? []).toString('hex')).toContain(kept);
  }
});

describe('a key', () => {
  const deep = (count: number): (string | bigint)[] => Array.from({ length: count }, (_, at) => ['K', BigInt(at + 1)]).flat();

  it.each<[string, Key, Key, string, RegExp]>([
    ['a name of 1,500 bytes', key('K', 'é'.repeat(750)), key('K', 'é'.repeat(751)), 'DS_LIMIT', /name is longer than 1500 bytes\./],
    ['a kind of 1,500 bytes', key('é'.repeat(750), 'a'), key('é'.repeat(751), 'a'), 'DS_LIMIT', /The kind is longer than 1500 bytes\./],
    ['100 elements', key(...deep(100)), key(...deep(101)), 'DS_LIMIT', /Key path has more than 100 elements\./],
    [
      '6 KiB',
      key('A', 'x'.repeat(1_400), 'B', 'x'.repeat(1_400), 'C', 'x'.repeat(1_400), 'D', 'x'.repeat(1_400)),
      key('A', 'x'.repeat(1_500), 'B', 'x'.repeat(1_500), 'C', 'x'.repeat(1_500), 'D', 'x'.repeat(1_500), 'E', 'x'.repeat(200)),
      'DS_LIMIT',
      /at most 6144 bytes/,
    ],
    ['a kind that only begins reserved', key('__K', 'a'), key('__K__', 'a'), 'DS_INVALID', /The kind "__K__" is reserved\./],
    ['a name that only begins reserved', key('K', '__a'), key('K', '__a__'), 'DS_INVALID', /name "__a__" is reserved\./],
    ['a negative id', key('K', -5n), key('K', 0n), 'DS_INVALID', /Key id cannot be zero/],
    [
      'a namespace of 100',
      { ...key('K', 'a'), namespace: 'n'.repeat(100) },
      { ...key('K', 'a'), namespace: 'n'.repeat(101) },
      'DS_LIMIT',
      /100/,
    ],
    [
      'a namespace of letters',
      { ...key('K', 'a'), namespace: 'a.B_-9' },
      { ...key('K', 'a'), namespace: '__n__' },
      'DS_INVALID',
      /"__n__" is reserved\./,
    ],
    [
      'a namespace of letters',
      { ...key('K', 'a'), namespace: 'a' },
      { ...key('K', 'a'), namespace: 'a b' },
      'DS_INVALID',
      /The namespace id/,
    ],
  ])('may have %s, and no more', async (_, good, bad, code, reason) => {
    await put(good, { n: value(1n) });
    expect((await get(datastore, good))?.properties['n']).toEqual(value(1n));
    await expect(put(bad, {})).rejects.toMatchObject({ code, message: expect.stringMatching(reason) as string });
  });

  it('may be named in any Unicode: it is found again under that name alone, in the order of code points', async () => {
    const name = fc.oneof(
      fc.constantFrom(
        '\0',
        'a\0',
        'a\0\x01',
        '\x01',
        '\uffff',
        '\ufdd0',
        '\u{1f600}',
        '\u{10ffff}',
        'é',
        'e\u0301',
        '\ufeff',
        '\ud7ff',
        '\ue000',
      ),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }).filter((one) => one.isWellFormed() && !/^__.*__$/s.test(one)),
    );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { minLength: 2, maxLength: 12 }), fc.uuid(), async (names, parent) => {
        for (const one of names) await put(key('P', parent, 'K', one), { name: text(one) });
        for (const one of names) expect((await get(datastore, key('P', parent, 'K', one)))?.properties['name']).toEqual(text(one));
        const ancestor = where('__key__', 'has-ancestor', key('P', parent));
        const found = namesOf(await datastore.runQuery(APP, query('K', { filter: ancestor })));
        expect(found).toEqual([...names].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right))));
      }),
      { numRuns: 25 },
    );
  });
});

describe('indexes', () => {
  const found = async (filter: ReturnType<typeof where>): Promise<readonly string[]> =>
    namesOf(await withIndexes(datastore, () => datastore.runQuery(APP, query('K', { filter }))));

  it('have no unindexed value, no missing one, no empty array, but null', async () => {
    await put(key('K', 'unindexed'), { p: { ...value(1n), ...unindexed } });
    await put(key('K', 'missing'), {});
    await put(key('K', 'empty'), { p: value([]) });
    await put(key('K', 'null'), { p: value(null) });
    await put(key('K', 'mixed'), { p: { kind: 'array', values: [value(1n), { ...value(2n), ...unindexed }] } });
    expect(namesOf(await datastore.runQuery(APP, query('K', { orders: [{ property: 'p', direction: 'asc' }] })))).toEqual([
      'null',
      'mixed',
    ]);
    expect(await found(where('p', '=', null))).toEqual(['null']);
    expect(await found(where('p', '=', 2n))).toEqual([]);
    expect((await get(datastore, key('K', 'empty')))?.properties['p']).toEqual({ kind: 'array', values: [] });
  });

  it('have each value of a list once, also in composite ones, which multiply', async () => {
    await datastore.commit(APP, [write('insert', key('K', 'list'), { tag: ['a', 'b', 'a'], size: [1n, 2n] })]);
    expect(await found(and(where('tag', '=', 'a'), where('tag', '=', 'b')))).toEqual(['list']);
    expect(await found(and(where('tag', '=', 'b'), where('size', '>', 1n)))).toEqual(['list']);
    const projected = await withIndexes(datastore, () => datastore.runQuery(APP, query('K', { projection: ['tag', 'size'] })));
    expect(
      projected.results.map(({ entity }) => Object.values(decodeEntity(entity).properties).map((one) => 'value' in one && one.value)),
    ).toHaveLength(4);
  });

  it('have the properties of embedded entities by their path, in filters and composite indexes, unless one on it is unindexed', async () => {
    const address = (city: string, rest: object = {}): Value => embedded({ city: text(city), geo: embedded({ lat: value(1n) }) }, rest);
    await put(key('K', 'one'), { address: address('Oslo'), n: value(1n) });
    await put(key('K', 'many'), { address: { kind: 'array', values: [address('Oslo'), address('Rome')] }, n: value(2n) });
    await put(key('K', 'hidden'), { address: address('Oslo', unindexed), n: value(3n) });
    expect(await found(where('address.city', '=', 'Oslo'))).toEqual(['many', 'one']);
    expect(await found(where('address.geo.lat', '=', 1n))).toEqual(['many', 'one']);
    const ordered = query('K', { filter: where('address.city', '=', 'Oslo'), orders: [{ property: 'n', direction: 'desc' }] });
    const answer = await withIndexes(datastore, () => datastore.runQuery(APP, ordered, { explain: true }));
    expect(namesOf(answer)).toEqual(['many', 'one']);
    expect(answer.plan?.scans).toEqual([expect.stringMatching(/^index K\(address\.city, n desc\), forward/)]);
  });

  it('are told of by lines that name paths and odd names so that YAML reads them back', async () => {
    const odd = query('on', { filter: where('a.b', '=', 1n), orders: [{ property: 'x: y', direction: 'desc' }] });
    await expect(datastore.runQuery(APP, odd)).rejects.toMatchObject({
      details: { indexYaml: '- kind: "on"\n  properties:\n  - name: a.b\n  - name: "x: y"\n    direction: desc' },
    });
  });
});
