// Reads the key text of App Engine's first SDKs (`str(key)`, `key.urlsafe()`): base64url of a Reference message.
//
//   Reference = { app 13: string, name_space 20: string, database_id 23: string, path 14: Path }
//   Path      = { Element 1: group { type 2: string, id 3: int64, name 4: string } … }
//
// "agR0ZXN0chILEgdBY2NvdW50IgVzYW5keQw" is app "test", path Account "sandy".
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Key, type PathElement } from '../sdk/contract/key.ts';

/** Undefined for anything but one well-formed, complete key. A location before the app ("s~", "dev~") is dropped. */
export function decodeKey(text: string): Key | undefined {
  if (text.length > 2 * LIMITS.keyBytesMax || !/^[\w-]+={0,2}$/.test(text)) return undefined;
  const fields = readFields(Buffer.from(text, 'base64url'));
  if (fields === undefined) return undefined;
  const app = textOf(fields, 13);
  const pathBytes = fields.find((field) => field.number === 14)?.content;
  if (app === undefined || !(pathBytes instanceof Uint8Array)) return undefined;
  const elements = readFields(pathBytes)?.map((field) => (field.number === 1 ? pathElement(field) : undefined)) ?? [];
  const path = elements.filter((element) => element !== undefined);
  if (path.length === 0 || path.length !== elements.length || path.length > LIMITS.keyPathElementsMax) return undefined;
  return {
    projectId: app.slice(app.indexOf('~') + 1),
    databaseId: textOf(fields, 23) ?? '',
    namespace: textOf(fields, 20) ?? '',
    path,
  };
}

interface Field {
  readonly number: number;
  /** A varint, the bytes of a string or message, or the fields of a group. */
  readonly content: bigint | Uint8Array | readonly Field[];
}

function pathElement({ content: fields }: Field): PathElement | undefined {
  if (!isGroup(fields)) return undefined;
  const kind = textOf(fields, 2);
  if (kind === undefined || kind === '') return undefined;
  const id = fields.find((field) => field.number === 3)?.content;
  const name = textOf(fields, 4);
  if (typeof id === 'bigint' && id > 0n && name === undefined) return { kind, id };
  return id === undefined && name !== undefined && name !== '' ? { kind, name } : undefined;
}

const isGroup = (content: Field['content']): content is readonly Field[] => Array.isArray(content);

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(fields: readonly Field[], number: number): string | undefined {
  const content = fields.find((field) => field.number === number)?.content;
  if (!(content instanceof Uint8Array)) return undefined;
  try {
    return UTF_8.decode(content);
  } catch {
    return undefined;
  }
}

const VARINT = 0;
const BYTES = 2;
const GROUP_START = 3;
const GROUP_END = 4;

/** The fields of a message whose groups hold no groups. */
function readFields(bytes: Uint8Array): readonly Field[] | undefined {
  const fields: Field[] = [];
  let group: { readonly number: number; readonly fields: Field[] } | undefined;
  let offset = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const byte = bytes[offset];
      if (byte === undefined) return undefined;
      offset += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    return undefined;
  };
  while (offset < bytes.length) {
    const tag = varint();
    if (tag === undefined || tag < 0n || tag > 0xffffffffn) return undefined;
    const number = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (wireType === GROUP_START && group === undefined) {
      group = { number, fields: [] };
    } else if (wireType === GROUP_END && group?.number === number) {
      fields.push({ number, content: group.fields });
      group = undefined;
    } else if (wireType === VARINT || wireType === BYTES) {
      const first = varint();
      if (first === undefined) return undefined;
      let content: bigint | Uint8Array = first;
      if (wireType === BYTES) {
        if (first < 0n || first > BigInt(bytes.length - offset)) return undefined;
        content = bytes.subarray(offset, offset + Number(first));
        offset += Number(first);
      }
      (group?.fields ?? fields).push({ number, content });
    } else {
      return undefined;
    }
  }
  return group === undefined ? fields : undefined;
}
