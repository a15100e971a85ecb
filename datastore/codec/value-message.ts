// A Value message as stretches of its bytes: what it is, and what is said about it. It must have been decoded before.
import { ProtoWriter } from '../../sdk/contract/protobuf.ts';
import { fieldAt } from './message-field.ts';

/** The fields that hold what a value is; of several, the last one counts. */
const BODY_FIELDS: ReadonlySet<number> = new Set([1, 2, 3, 5, 6, 8, 9, 10, 11, 17, 18]);
const ENTITY_FIELD = 6;
const ARRAY_FIELD = 9;
const ITEM_FIELD = 1;

export interface ValueParts {
  readonly kind: 'entity' | 'array' | 'other';
  /** Of an entity or array the message; of another value the field. A view. */
  readonly body: Buffer;
  /** All other fields: the meaning, and whether it is excluded from indexes. */
  readonly marks: Buffer;
}

export const NO_MARKS = Buffer.alloc(0);

const writer = new ProtoWriter();

export function valueParts(value: Buffer): ValueParts {
  let kind: ValueParts['kind'] = 'other';
  let body: Buffer = NO_MARKS;
  const marks: Buffer[] = [];
  for (let offset = 0; offset < value.length;) {
    const { number, content, end } = fieldAt(value, offset);
    if (BODY_FIELDS.has(number)) {
      kind = number === ENTITY_FIELD ? 'entity' : number === ARRAY_FIELD ? 'array' : 'other';
      body = value.subarray(kind === 'other' ? offset : content, end);
    } else marks.push(value.subarray(offset, end));
    offset = end;
  }
  return { kind, body, marks: marks.length === 0 ? NO_MARKS : Buffer.concat(marks) };
}

/** The values in the message of an array. */
export function arrayItems(array: Buffer): readonly Buffer[] {
  const items: Buffer[] = [];
  for (let offset = 0; offset < array.length;) {
    const { number, content, end } = fieldAt(array, offset);
    if (number === ITEM_FIELD) items.push(array.subarray(content, end));
    offset = end;
  }
  return items;
}

/** An Entity message as a value. */
export function entityValue(entity: Buffer, marks: Buffer): Buffer {
  writer.clear().bytesField(ENTITY_FIELD, entity);
  return Buffer.concat([writer.finish(), marks]);
}
