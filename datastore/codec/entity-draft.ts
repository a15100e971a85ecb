// An Entity message that is being changed, property by property. What is not touched keeps its bytes, decoded or not.
import { ProtoWriter } from '../../sdk/contract/protobuf.ts';
import { bufferOf, fieldAt } from './message-field.ts';
import { entityValue, NO_MARKS, valueParts } from './value-message.ts';

const KEY_FIELD = 1;
const PROPERTY_FIELD = 3;
const NAME_FIELD = 1;
const VALUE_FIELD = 2;
/** A Value message without fields is null, and so is a property without a value. */
const NULL_VALUE = Buffer.alloc(0);

/** What a property is set to. Its Value message is made when the draft is done. */
export interface DraftValue {
  toMessage(): Buffer;
}

type Slot =
  /** The field of the Entity message, as it came. */
  | { readonly kind: 'field'; readonly field: Buffer }
  | { readonly kind: 'value'; readonly value: DraftValue }
  /** An embedded entity that was looked into. */
  | { readonly kind: 'entity'; readonly entity: EntityDraft; readonly marks: Buffer };

const writer = new ProtoWriter();

export class EntityDraft {
  readonly #slots = new Map<string, Slot>();
  /** Fields that are no properties: the key, and unknown ones. */
  readonly #others: Buffer[] = [];

  /** `message` must have been decoded before, so that it is well-formed. The draft holds views of it. */
  static of(message: Uint8Array): EntityDraft {
    const draft = new EntityDraft();
    const bytes = bufferOf(message);
    for (let offset = 0; offset < bytes.length;) {
      const { number, content, end } = fieldAt(bytes, offset);
      const field = bytes.subarray(offset, end);
      // Of several properties with one name the last one counts, as where messages are decoded.
      if (number === PROPERTY_FIELD) draft.#slots.set(nameIn(bytes.subarray(content, end)), { kind: 'field', field });
      else draft.#others.push(field);
      offset = end;
    }
    return draft;
  }

  /** One with the key of `other` and no properties. */
  static withKeyOf(other: EntityDraft): EntityDraft {
    const draft = new EntityDraft();
    draft.#others.push(...other.#others.filter((field) => fieldAt(field, 0).number === KEY_FIELD));
    return draft;
  }

  get isEmpty(): boolean {
    return this.#slots.size === 0;
  }

  get names(): Iterable<string> {
    return this.#slots.keys();
  }

  /** The fields that are no properties, one after the other. */
  get others(): Buffer {
    return Buffer.concat(this.#others);
  }

  /** What the property was set to, or else its Value message; undefined where there is none. */
  value(name: string): DraftValue | Buffer | undefined {
    const slot = this.#slots.get(name);
    return slot?.kind === 'value' ? slot.value : slot && messageOf(slot);
  }

  /** The embedded entity that the property is, to be changed in place; or what else it is. */
  embedded(name: string): EntityDraft | 'array' | 'other' | undefined {
    const slot = this.#slots.get(name);
    if (!slot) return undefined;
    if (slot.kind === 'entity') return slot.entity;
    const { kind, body, marks } = valueParts(messageOf(slot));
    if (kind !== 'entity') return kind;
    const entity = EntityDraft.of(body);
    this.#slots.set(name, { kind: 'entity', entity, marks });
    return entity;
  }

  set(name: string, value: DraftValue): void {
    this.#slots.set(name, { kind: 'value', value });
  }

  /** Makes the property an embedded entity, with what is said about the one of that name in `like`. */
  embed(name: string, entity: EntityDraft, like?: EntityDraft): void {
    const model = like ? like.#slots.get(name) : undefined;
    this.#slots.set(name, { kind: 'entity', entity, marks: model?.kind === 'entity' ? model.marks : NO_MARKS });
  }

  /** Makes the property what it is in `other`: absent, if it is absent there. */
  copy(name: string, other: EntityDraft): void {
    const slot = other.#slots.get(name);
    if (slot) this.#slots.set(name, slot);
    else this.#slots.delete(name);
  }

  delete(name: string): void {
    this.#slots.delete(name);
  }

  toMessage(): Buffer {
    const fields = [...this.#slots].map(([name, slot]) => (slot.kind === 'field' ? slot.field : propertyField(name, messageOf(slot))));
    return Buffer.concat([...this.#others, ...fields]);
  }
}

function messageOf(slot: Slot): Buffer {
  switch (slot.kind) {
    case 'field':
      return valueIn(slot.field);
    case 'value':
      return slot.value.toMessage();
    case 'entity':
      return entityValue(slot.entity.toMessage(), slot.marks);
  }
}

function nameIn(property: Buffer): string {
  let name = '';
  for (let offset = 0; offset < property.length;) {
    const { number, content, end } = fieldAt(property, offset);
    if (number === NAME_FIELD) name = property.toString('utf8', content, end);
    offset = end;
  }
  return name;
}

function valueIn(field: Buffer): Buffer {
  let value: Buffer = NULL_VALUE;
  for (let offset = fieldAt(field, 0).content; offset < field.length;) {
    const { number, content, end } = fieldAt(field, offset);
    if (number === VALUE_FIELD) value = field.subarray(content, end);
    offset = end;
  }
  return value;
}

function propertyField(name: string, value: Buffer): Buffer {
  writer.clear().messageField(PROPERTY_FIELD, () => {
    writer.stringField(NAME_FIELD, name);
    writer.bytesField(VALUE_FIELD, value);
  });
  return writer.finish();
}
