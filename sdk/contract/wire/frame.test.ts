import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { decodeBody, encodeFrame, FrameReader } from './frame.ts';

const plain = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    // MessagePack writes whole numbers as integers, which have no −0.
    fc.double({ noNaN: true }).map((number) => (number === 0 ? 0 : number)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value;

const readAll = (chunks: readonly Buffer[]): unknown[] => {
  const reader = new FrameReader();
  const values: unknown[] = [];
  for (const chunk of chunks) reader.push(chunk, (value) => values.push(value));
  expect(reader.isHalfway).toBe(false);
  return values;
};

test('the worked example of the grammar', () => {
  expect(encodeFrame([2, 7]).toString('hex')).toBe('00000003920207');
});

test('values come back as they were, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(plain, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(64)), (values, cuts) => {
      const bytes = Buffer.concat(values.map(encodeFrame));
      const chunks: Buffer[] = [];
      let start = 0;
      for (const cut of cuts) {
        chunks.push(bytes.subarray(start, start + cut + 1));
        start = Math.min(bytes.length, start + cut + 1);
      }
      chunks.push(bytes.subarray(start));
      expect(readAll(chunks)).toEqual(values);
    }),
  );
});

test.each([
  ['a fixed extension', 'd40001'],
  ['a timestamp extension', 'd6ff00000000'],
  ['an extension of 8-bit length', 'c70100ff'],
  ['the type that is never used', 'c1'],
  ['a list that ends early', '9301'],
  ['a string that ends early', 'd9ff61'],
  ['bytes after the value', '0102'],
  ['a map with a list for a key', '8190c0'],
  ['nothing', ''],
  ['a list that claims four thousand million items', 'ddffffffff'],
])('%s is refused', (_name, hex) => {
  expect(() => decodeBody(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ code: 'RPC_FRAME_MALFORMED' }));
});

test('nesting beyond the limit is refused, at the limit it is not', () => {
  const nested = (depth: number): Buffer => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0xc0])]);
  expect(() => decodeBody(nested(LIMITS.wireDepthMax))).toThrow(expect.objectContaining({ code: 'RPC_FRAME_MALFORMED' }));
  expect(() => decodeBody(nested(LIMITS.wireDepthMax - 1))).not.toThrow();
});

test('a frame that announces too much is refused before its body arrives', () => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(LIMITS.wireFrameBytesMax + 1);
  expect(() => new FrameReader().push(header, () => undefined)).toThrow(expect.objectContaining({ code: 'RPC_FRAME_TOO_LARGE' }));
});

test('random bytes never decode to anything but a value or a refusal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeBody(Buffer.from(bytes));
      } catch (error) {
        expect(error).toMatchObject({ code: 'RPC_FRAME_MALFORMED' });
      }
    }),
    { numRuns: 2_000 },
  );
});
