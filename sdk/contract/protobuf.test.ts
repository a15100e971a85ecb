import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { ProtoReader, ProtoWriter, VARINT } from './protobuf.ts';

const EDGES = [
  0n,
  1n,
  127n,
  128n,
  2n ** 28n - 1n,
  2n ** 28n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 56n - 1n,
  2n ** 56n,
  2n ** 63n - 1n,
];
const int64 = fc.oneof(
  fc.constantFrom(...EDGES.flatMap((edge) => [edge, -edge, -edge - 1n])),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);

function first(bytes: Buffer): ProtoReader {
  const reader = new ProtoReader(bytes);
  expect(reader.next()).toBe(true);
  return reader;
}

describe('numbers of 64 bits', () => {
  it('are written as protobufjs reads them, and read as it writes them', () => {
    fc.assert(
      fc.property(int64, (value) => {
        const writer = new ProtoWriter();
        writer.varintField(1, value);
        const bytes = writer.finish();
        const theirs = protobuf.Reader.create(bytes);
        theirs.uint32();
        expect(theirs.int64()).toEqual(protobuf.util.LongBits.from(String(value)).toLong(false));
        expect(first(bytes).int64()).toBe(value);
        // Whoever wants 32 bits of them gets the lower ones.
        expect(first(bytes).small()).toBe(Number(BigInt.asIntN(32, value)));
      }),
    );
  });

  it('have at most ten bytes, of which some may say nothing', () => {
    const tag = VARINT | (1 << 3);
    expect(first(Buffer.from([tag, 0x85, 0x80, 0x80, 0x80, 0x80, 0x00])).int64()).toBe(5n);
    expect(() => first(Buffer.from([tag, ...Array<number>(10).fill(0x80), 0])).int64()).toThrow('more than 10 bytes');
    expect(() => first(Buffer.from([tag, 0x80])).int64()).toThrow('it ends early');
  });
});

describe('pieces', () => {
  const field = fc.record({ size: fc.oneof(fc.nat(300), fc.nat(40_000)), isPiece: fc.boolean(), depth: fc.nat(3), isLast: fc.boolean() });

  it('come out where they were put, at any depth and of any size', () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 12 }), (fields) => {
        const apart = new ProtoWriter();
        const inOne = new ProtoWriter();
        for (const { size, isPiece, depth, isLast } of fields) {
          const bytes = Buffer.alloc(size, depth + 1);
          nested(apart, depth, () => {
            if (isPiece) apart.pieceField(1, bytes);
            else apart.bytesField(1, bytes);
            if (!isLast) apart.smallField(2, size);
          });
          nested(inOne, depth, () => {
            inOne.bytesField(1, bytes);
            if (!isLast) inOne.smallField(2, size);
          });
        }
        expect(apart.finish().equals(inOne.finish())).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('are forgotten with the rest', () => {
    const writer = new ProtoWriter();
    writer.pieceField(1, Buffer.alloc(1_000));
    writer.clear().smallField(1, 1);
    expect(writer.finish()).toEqual(Buffer.from([0x08, 1]));
  });
});

function nested(writer: ProtoWriter, depth: number, write: () => void): void {
  if (depth === 0) write();
  else writer.messageField(3, () => nested(writer, depth - 1, write));
}
