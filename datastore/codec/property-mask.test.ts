import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntity, encodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Properties, type Value } from '../../sdk/contract/entity.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { ProtoWriter } from '../../sdk/contract/protobuf.ts';
import { EntityDraft } from './entity-draft.ts';
import { maskedMessage, mergeMasked } from './property-mask.ts';
import { parsePropertyPath } from './property-path.ts';

const KEY: Key = { projectId: 'app', databaseId: '', namespace: '', path: [{ kind: 'K', name: 'k' }] };
const integer = (value: bigint): Value => ({ kind: 'integer', value });
const entity = (properties: Properties, rest: object = {}): Value => ({ kind: 'entity', value: { properties }, ...rest });
const array = (...values: Value[]): Value => ({ kind: 'array', values });
const message = (properties: Properties): Buffer => encodeEntity({ key: KEY, properties });
const plain = (bytes: Uint8Array): Properties => ({ ...decodeEntity(bytes).properties });
const mask = (paths: string): readonly (readonly string[])[] => (paths === '' ? [] : paths.split(' ').map(parsePropertyPath));

function masked(properties: Properties, paths: string): Properties {
  const bytes = maskedMessage(message(properties), mask(paths));
  expect(decodeEntity(bytes).key).toEqual(KEY);
  return plain(bytes);
}

function merged(stored: Properties, sent: Properties, paths: string): Properties {
  const draft = EntityDraft.of(message(stored));
  mergeMasked(draft, EntityDraft.of(message(sent)), mask(paths));
  return plain(draft.toMessage());
}

const ALL = { a: integer(1n), b: entity({ x: integer(2n), y: entity({ z: integer(3n), w: integer(4n) }) }), 'c.d': integer(5n) };

describe('what a read with a mask answers', () => {
  it.each<[string, Properties]>([
    ['', {}],
    ['a', { a: integer(1n) }],
    ['__key__', {}],
    ['missing a', { a: integer(1n) }],
    [String.raw`c\.d`, { 'c.d': integer(5n) }],
    ['c.d', {}],
    ['b', { b: ALL.b }],
    ['b.x', { b: entity({ x: integer(2n) }) }],
    ['b.y.z b.x', { b: entity({ x: integer(2n), y: entity({ z: integer(3n) }) }) }],
    ['b.y.z b', { b: ALL.b }],
    ['b b.y.z', { b: ALL.b }],
    ['b.missing', {}],
    ['b.x.deeper a.b', {}],
  ])('%s', (paths, answered) => {
    expect(masked(ALL, paths)).toEqual(answered);
  });

  it('keeps the key and the marks of an embedded entity that is named in part, and nothing of an array', () => {
    const embedded: Value = {
      kind: 'entity',
      value: { key: KEY, properties: { x: integer(1n), y: integer(2n) } },
      meaning: 9,
      excludeFromIndexes: true,
    };
    expect(masked({ e: embedded, l: array(entity({ x: integer(1n) })) }, 'e.x l.x')).toEqual({
      e: { ...embedded, value: { key: KEY, properties: { x: integer(1n) } } },
    });
  });

  it('takes of several fields of one property the last', () => {
    const bytes = Buffer.concat([message({ e: entity({ x: integer(1n) }) }), withoutKey(message({ e: integer(7n) }))]);
    expect(plain(maskedMessage(bytes, mask('e.x')))).toEqual({});
    expect(plain(maskedMessage(bytes, mask('e')))).toEqual({ e: integer(7n) });
  });
});

describe('what a write with a mask makes of an entity', () => {
  it.each<[string, Properties, Properties, string, Properties]>([
    ['only what is named', { a: integer(1n), b: integer(2n) }, { a: integer(8n), b: integer(9n) }, 'a', { a: integer(8n), b: integer(2n) }],
    ['nothing', { a: integer(1n) }, { a: integer(8n) }, '', { a: integer(1n) }],
    ['what is named and not sent is deleted', { a: integer(1n), b: integer(2n) }, {}, 'a', { b: integer(2n) }],
    ['what is new', {}, { a: integer(8n), b: integer(9n) }, 'b', { b: integer(9n) }],
    ['the key is no property', { a: integer(1n) }, {}, '__key__', { a: integer(1n) }],
    [
      'part of an embedded entity',
      { e: entity({ x: integer(1n), y: integer(2n) }) },
      { e: entity({ x: integer(8n), y: integer(9n) }) },
      'e.x',
      { e: entity({ x: integer(8n), y: integer(2n) }) },
    ],
    [
      'part that is not sent',
      { e: entity({ x: integer(1n), y: integer(2n) }) },
      { e: integer(1n) },
      'e.x',
      { e: entity({ y: integer(2n) }) },
    ],
    ['the last part', { e: entity({ x: integer(1n) }) }, {}, 'e.x', { e: entity({}) }],
    [
      'part of what is not there',
      {},
      { e: entity({ x: integer(8n), y: integer(9n) }, { excludeFromIndexes: true }) },
      'e.x',
      { e: entity({ x: integer(8n) }, { excludeFromIndexes: true }) },
    ],
    [
      'part of what is no entity',
      { e: integer(1n) },
      { e: entity({ x: entity({ z: integer(8n) }) }) },
      'e.x.z',
      { e: entity({ x: entity({ z: integer(8n) }) }) },
    ],
    ['nothing of what is no entity', { e: integer(1n) }, { e: entity({}) }, 'e.x', { e: integer(1n) }],
    ['nothing of what is not there', {}, { e: entity({ y: integer(1n) }) }, 'e.x e.z.w', {}],
    [
      'the whole rather than a part',
      { e: entity({ x: integer(1n), y: integer(2n) }) },
      { e: entity({ x: integer(8n) }) },
      'e.x e',
      { e: entity({ x: integer(8n) }) },
    ],
    [
      'the marks that are there',
      { e: entity({ x: integer(1n) }, { excludeFromIndexes: true }) },
      { e: entity({ x: integer(8n) }) },
      'e.x',
      { e: entity({ x: integer(8n) }, { excludeFromIndexes: true }) },
    ],
  ])('%s', (_, stored, sent, paths, result) => {
    expect(merged(stored, sent, paths)).toEqual(result);
  });

  it.each<[Properties, Properties]>([
    [{ e: array(integer(1n)) }, { e: entity({ x: integer(1n) }) }],
    [{ e: entity({ x: integer(1n) }) }, { e: array(integer(1n)) }],
    [{}, { e: array() }],
  ])('a path into an array is refused: %#', (stored, sent) => {
    expect(() => merged(stored, sent, 'e.x')).toThrow(
      expect.objectContaining({ code: 'DS_INVALID', message: expect.stringMatching(/"e", which is an array/) as unknown }),
    );
  });

  it('copies the bytes of what is kept, unknown fields included', () => {
    const odd = new ProtoWriter();
    odd.messageField(3, () => {
      odd.stringField(1, 'odd');
      odd.messageField(2, () => {
        odd.varintField(2, 5n);
        odd.stringField(77, 'from the future');
      });
    });
    const stored = Buffer.concat([message({ a: integer(1n) }), odd.finish()]);
    const draft = EntityDraft.of(stored);
    mergeMasked(draft, EntityDraft.of(message({ b: integer(2n) })), mask('b a'));
    expect(draft.toMessage().includes(odd.finish())).toBe(true);
    expect(Object.keys(plain(draft.toMessage()))).toEqual(['odd', 'b']);
  });
});

const leaf = fc.oneof(fc.bigInt({ min: 0n, max: 3n }).map(integer), fc.constant<Value>(array(integer(1n))));
const names = fc.constantFrom('a', 'b', 'c');
const tree = fc.letrec<{ value: Value; properties: Properties }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    tie('properties').map((properties) => entity(properties)),
  ),
  properties: fc.dictionary(names, tie('value'), { maxKeys: 3 }),
})).properties;
const paths = fc.array(fc.array(names, { minLength: 1, maxLength: 3 }), { maxLength: 4 });

it('a read of what a write with the same mask wrote is a read of what was sent', () => {
  fc.assert(
    fc.property(tree, tree, paths, (stored, sent, wanted) => {
      const draft = EntityDraft.of(message(stored));
      try {
        mergeMasked(draft, EntityDraft.of(message(sent)), wanted);
      } catch {
        return;
      }
      const [written, asSent] = [draft.toMessage(), message(sent)].map((bytes) => plain(maskedMessage(bytes, wanted)));
      expect(written).toEqual(asSent);
    }),
  );
});

function withoutKey(bytes: Buffer): Buffer {
  return bytes.subarray(2 + (bytes[1] ?? 0));
}
