// The fields of a protobuf message that was decoded before, so that it is known to be well-formed, as stretches of its bytes.

export interface MessageField {
  readonly number: number;
  /** Where the content begins: of a string or message behind its length. */
  readonly content: number;
  /** Behind the content. */
  readonly end: number;
}

/** The field at `start`. Decodes the tag rather than comparing a byte: an over-long tag names the same field just as well. */
export function fieldAt(bytes: Buffer, start: number): MessageField {
  let offset = start;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[offset++] ?? 0;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  const tag = varint();
  const number = tag >>> 3;
  const content = offset;
  switch (tag & 7) {
    case 0:
      varint();
      return { number, content, end: offset };
    case 1:
      return { number, content, end: offset + 8 };
    case 2: {
      const length = varint();
      return { number, content: offset, end: offset + length };
    }
    default:
      return { number, content, end: offset + 4 };
  }
}

export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
