import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JsonValue } from '../../../sdk/contract/admin/data.ts';
import { emptyDraft, isSound, problemOf, propertiesOf, propertyDrafts, type ValueDraft, valueDraft, valueOf } from './entity-draft.ts';
import { valueText } from './entity-value.ts';

const flags = { excludeFromIndexes: fc.constant(true as const), meaning: fc.integer({ min: 1, max: 30 }) };
const withFlags = (content: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> =>
  fc.tuple(content, fc.record(flags, { requiredKeys: [] })).map(([value, flag]) => ({ ...value, ...flag }));

const key = fc.record({
  partitionId: fc.constant({ projectId: 'p', namespaceId: 'n' }),
  path: fc.constant([{ kind: 'Kind', id: '9007199254740993' }]),
});
// JSON has no -0.
const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

const scalar: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constant({ nullValue: null }),
  fc.boolean().map((booleanValue) => ({ booleanValue })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ integerValue: String(value) })),
  fc.oneof(double, fc.constantFrom('NaN' as const, 'Infinity' as const, '-Infinity' as const)).map((doubleValue) => ({ doubleValue })),
  fc.constantFrom('2026-11-26T09:30:00.123456Z', '0001-01-01T00:00:00Z').map((timestampValue) => ({ timestampValue })),
  fc.string().map((stringValue) => ({ stringValue })),
  fc.uint8Array().map((bytes) => ({ blobValue: btoa(String.fromCharCode(...bytes)) })),
  key.map((keyValue) => ({ keyValue })),
  fc.tuple(fc.double({ min: -90, max: 90, noNaN: true }), fc.double({ min: -180, max: 180, noNaN: true })).map(([latitude, longitude]) => ({
    geoPointValue: { latitude: latitude + 0, longitude: longitude + 0 },
  })),
);

const propertyName = fc.stringMatching(/^[a-z][A-Za-z0-9]{0,8}$/).filter((name) => !(name in {}));
const value = fc.letrec<{ value: JsonValue; flat: JsonValue }>((tie) => ({
  flat: withFlags(
    fc.oneof(
      { maxDepth: 3 },
      scalar,
      fc
        .dictionary(propertyName, tie('value'), { maxKeys: 3, noNullPrototype: true })
        .map((properties) => ({ entityValue: { properties } })),
    ),
  ),
  value: withFlags(
    fc.oneof(
      { maxDepth: 3 },
      scalar,
      tie('flat'),
      fc.array(tie('flat'), { maxLength: 4 }).map((values) => ({ arrayValue: { values } })),
    ),
  ),
})).value;

describe('an entity while it is edited', () => {
  it('comes out as it went in, for every value there is', () => {
    fc.assert(
      fc.property(fc.dictionary(propertyName, value, { maxKeys: 6, noNullPrototype: true }), (properties) => {
        const drafts = propertyDrafts(properties);
        expect(isSound(drafts)).toBe(true);
        // As it is sent: through JSON.
        expect(JSON.parse(JSON.stringify(propertiesOf(drafts)))).toEqual(JSON.parse(JSON.stringify(properties)));
      }),
    );
  });

  const typed = (type: ValueDraft['type'], text: string): ValueDraft => ({ ...emptyDraft(type), text });

  it.each([
    ['integer', '9223372036854775808'],
    ['integer', '1.5'],
    ['integer', ''],
    ['double', 'a lot'],
    ['double', ''],
    ['timestamp', '2026-11-26'],
    ['timestamp', '2026-13-26T00:00:00Z'],
    ['key', 'Guestbook:main'],
    ['key', 'Guestbook'],
    ['geoPoint', '91, 0'],
    ['geoPoint', '1'],
    ['blob', 'not base64!'],
    ['blob', 'AAA'],
  ] as const)('refuses as %s %j', (type, text) => {
    expect(problemOf(typed(type, text))).toBeDefined();
  });

  it.each([
    ['integer', ' +5 ', { integerValue: '5' }],
    ['integer', '-9223372036854775808', { integerValue: '-9223372036854775808' }],
    ['double', '5', { doubleValue: 5 }],
    ['double', '1e400', { doubleValue: 'Infinity' }],
    ['double', '-Infinity', { doubleValue: '-Infinity' }],
    ['string', ' kept as typed ', { stringValue: ' kept as typed ' }],
    ['geoPoint', '47.37,8.54', { geoPointValue: { latitude: 47.37, longitude: 8.54 } }],
  ] as const)('reads as %s %j', (type, text, want) => {
    expect(problemOf(typed(type, text))).toBeUndefined();
    expect(valueOf(typed(type, text))).toEqual(want);
  });

  it('refuses names that are empty, reserved or there twice, and lists in lists', () => {
    const [one] = propertyDrafts({ name: { nullValue: null } });
    if (one === undefined) throw new Error('There is a property');
    expect(isSound([{ ...one, name: '' }])).toBe(false);
    expect(isSound([{ ...one, name: '__key__' }])).toBe(false);
    expect(isSound([one, { ...one, row: -1 }])).toBe(false);
    expect(isSound(propertyDrafts({ list: { arrayValue: { values: [{ arrayValue: { values: [] } }] } } }))).toBe(false);
  });

  it('keeps the text when the type changes, so that a mistaken choice loses nothing', () => {
    expect(valueOf({ ...valueDraft({ stringValue: '42' }), type: 'integer' })).toEqual({ integerValue: '42' });
  });
});

it('shows every value in one short line', () => {
  const text = (shown: JsonValue): string => valueText(shown);
  expect(text({ doubleValue: 5 })).toBe('5.0');
  expect(text({ doubleValue: 'NaN' })).toBe('NaN');
  expect(text({ integerValue: '9007199254740993' })).toBe('9007199254740993');
  expect(text({ blobValue: 'AAECAwQ=' })).toBe('5 B of bytes');
  expect(text({ arrayValue: { values: ['a', 'b', 'c', 'd'].map((stringValue) => ({ stringValue })) } })).toBe('[a, b, c, … 4 in all]');
  expect(text({ entityValue: { properties: { city: { stringValue: 'Zürich' } } } })).toBe('{ city: Zürich }');
  expect(text({ stringValue: 'x'.repeat(500) })).toHaveLength(80);
  expect(text({ nullValue: null })).toBe('null');
});
