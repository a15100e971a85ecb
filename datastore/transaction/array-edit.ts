// An array property under append-missing and remove-all. The work is that of the elements given, not of the array times them: a
// commit may have hundreds of such transforms, and an array a hundred thousand elements.
//
// Two elements are the same when they are the same value: 3 and 3.0 are, NaN and NaN, null and null, 0 and -0, entities with the
// same properties and keys. Meanings and exclusion from indexes make no difference.
import { encodeKey, encodeValue } from '../../sdk/contract/entity-proto.ts';
import { type EmbeddedEntity, type Value } from '../../sdk/contract/entity.ts';
import { assertNever } from '../../sdk/support/assert.ts';
import { type DraftValue } from '../codec/entity-draft.ts';

const INTEGERS_END = 2 ** 63;

export class ArrayEdit implements DraftValue {
  /** In order; undefined where one was removed. */
  readonly #values: (Value | undefined)[] = [];
  /** By what makes elements the same: where they are. */
  readonly #places = new Map<string, number[]>();
  /** Of the array as it was found, until it is changed. */
  #message: Buffer | undefined;
  readonly #marks: Pick<Value, 'meaning'>;

  /** `message`: the bytes of `stored`. What is no array becomes an empty one. */
  constructor(stored: Value | undefined, message?: Buffer) {
    const isArray = stored?.kind === 'array';
    this.#message = isArray ? message : undefined;
    this.#marks = isArray && stored.meaning !== undefined ? { meaning: stored.meaning } : {};
    if (isArray) for (const value of stored.values) this.#add(value, identityOf(value));
  }

  appendMissing(elements: readonly Value[]): void {
    for (const element of elements) {
      const identity = identityOf(element);
      if (this.#places.has(identity)) continue;
      this.#message = undefined;
      this.#add(element, identity);
    }
  }

  removeAll(elements: readonly Value[]): void {
    for (const element of elements) {
      const identity = identityOf(element);
      const places = this.#places.get(identity);
      if (!places) continue;
      this.#message = undefined;
      for (const place of places) this.#values[place] = undefined;
      this.#places.delete(identity);
    }
  }

  get value(): Value {
    return { kind: 'array', values: this.#values.filter((value) => value !== undefined), ...this.#marks };
  }

  toMessage(): Buffer {
    return this.#message ?? encodeValue(this.value);
  }

  #add(value: Value, identity: string): void {
    const places = this.#places.get(identity);
    const place = this.#values.push(value) - 1;
    if (places) places.push(place);
    else this.#places.set(identity, [place]);
  }
}

/** The same text for values that are the same. Lengths, not quotes, keep its parts apart, so that it grows no faster than they do. */
function identityOf(value: Value): string {
  switch (value.kind) {
    case 'null':
      return 'n';
    case 'boolean':
      return value.value ? 'b1' : 'b0';
    case 'integer':
      return `i${value.value}`;
    case 'double':
      return isInteger(value.value) ? `i${BigInt(value.value)}` : `d${value.value}`;
    case 'timestamp':
      return `t${value.micros}`;
    case 'key':
      return `k${encodeKey(value.value).toString('latin1')}`;
    case 'string':
      return `s${value.value}`;
    case 'blob':
      return `x${Buffer.from(value.value).toString('latin1')}`;
    case 'geoPoint':
      // Without the sign of a zero.
      return `g${value.latitude + 0},${value.longitude + 0}`;
    case 'entity':
      return `e${identityOfEntity(value.value)}`;
    case 'array':
      return `a${value.values.map((item) => part(identityOf(item))).join('')}`;
    default:
      return assertNever(value);
  }
}

function identityOfEntity({ key, properties }: EmbeddedEntity): string {
  const names = Object.keys(properties).sort();
  const parts = names.map((name) => {
    const value = properties[name];
    return value ? part(name) + part(identityOf(value)) : '';
  });
  return part(key ? encodeKey(key).toString('latin1') : '') + parts.join('');
}

function part(text: string): string {
  return `${text.length}:${text}`;
}

function isInteger(value: number): boolean {
  return Number.isInteger(value) && value >= -INTEGERS_END && value < INTEGERS_END;
}
