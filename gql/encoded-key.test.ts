import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKey } from './encoded-key.ts';

const varint = (value: bigint): number[] => (value < 0x80n ? [Number(value)] : [Number(value & 0x7fn) | 0x80, ...varint(value >> 7n)]);
const string = (field: number, text: string): number[] => {
  const bytes = Buffer.from(text);
  return [...varint(BigInt((field << 3) | 2)), ...varint(BigInt(bytes.length)), ...bytes];
};
const element = (kind: string, id: bigint | string): number[] => [
  0x0b,
  ...string(2, kind),
  ...(typeof id === 'string' ? string(4, id) : [0x18, ...varint(id)]),
  0x0c,
];
const reference = (app: string, path: number[], ...more: number[][]): string => {
  const bytes = [...string(13, app), 0x72, ...varint(BigInt(path.length)), ...path, ...more.flat()];
  return Buffer.from(bytes).toString('base64url');
};

describe('the key text of the first SDKs', () => {
  it('is read whole', () => {
    const text = reference('s~my-app', [...element('A', 5n), ...element('B', 'ü')], string(20, 'ns'), string(23, 'db'));
    expect(decodeKey(text)).toEqual({
      projectId: 'my-app',
      databaseId: 'db',
      namespace: 'ns',
      path: [
        { kind: 'A', id: 5n },
        { kind: 'B', name: 'ü' },
      ],
    });
  });

  it('may be padded', () => {
    expect(decodeKey('agR0ZXN0chILEgdBY2NvdW50IgVzYW5keQw==')).toMatchObject({ projectId: 'test' });
  });

  it.each([
    ['nothing', ''],
    ['other characters', 'a+b/'],
    ['no app', Buffer.from([0x72, 0]).toString('base64url')],
    ['no path', reference('a', [])],
    ['an incomplete key', reference('a', [0x0b, ...string(2, 'A'), 0x0c])],
    ['an element with both an id and a name', reference('a', [0x0b, ...string(2, 'A'), 0x18, 1, ...string(4, 'x'), 0x0c])],
    ['id 0', reference('a', element('A', 0n))],
    ['an empty name', reference('a', element('A', ''))],
    ['an open group', reference('a', [0x0b, ...string(2, 'A'), 0x18, 1])],
    ['a nested group', reference('a', [0x0b, 0x0b, 0x0c, 0x0c])],
    ['text that is no UTF-8', reference('a', [0x0b, 0x12, 1, 0xff, 0x18, 1, 0x0c])],
    ['a length beyond the end', Buffer.from([0x6a, 0x7f, 1]).toString('base64url')],
    ['a varint without end', Buffer.from(Array<number>(20).fill(0xff)).toString('base64url')],
    ['too many elements', reference('a', Array.from({ length: 101 }, () => element('A', 1n)).flat())],
  ])('is refused with %s', (_, text) => {
    expect(decodeKey(text)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        decodeKey(Buffer.from(bytes).toString('base64url'));
      }),
    );
  });
});
