// What a masked or transforming mutation makes of an entity. A pure function of what it was.
//
// A transform's property, and the embedded entities on the way to it, come into being where they are missing or something else.
// What a transform sets is excluded from indexes if what it replaces was, or the operand is: a counter that was not indexed does
// not become so by counting. A result that is the stored value itself stays as it is, byte for byte. Elements of arrays keep
// what is said about them.
import { decodeValue, encodeValue } from '../../sdk/contract/entity-proto.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { assertNever } from '../../sdk/support/assert.ts';
import { type DraftValue, EntityDraft } from '../codec/entity-draft.ts';
import { intoArray, mergeMasked } from '../codec/property-mask.ts';
import { type PropertyPath } from '../codec/property-path.ts';
import { ArrayEdit } from './array-edit.ts';
import { type Edit } from './checked-mutation.ts';
import { type PropertyTransform } from './mutation.ts';
import { increment, isNumber, maximum, minimum } from './number-transform.ts';

export interface EditedEntity {
  /** With the key of what was sent or of what was there. */
  readonly message: Buffer;
  /** One for each transform. */
  readonly transformResults: readonly Value[];
}

class SetValue implements DraftValue {
  readonly value: Value;

  constructor(value: Value) {
    this.value = value;
  }

  toMessage(): Buffer {
    return encodeValue(this.value);
  }
}

const NULL: Value = { kind: 'null' };

/** `before`: the entity's message, if there is one. Throws DS_INVALID for a path into an array. */
export function editEntity(before: Uint8Array | undefined, { message, mask, transforms }: Edit, requestTimeMicros: bigint): EditedEntity {
  const sent = EntityDraft.of(message);
  const draft = mask ? (before ? EntityDraft.of(before) : EntityDraft.withKeyOf(sent)) : sent;
  if (mask) mergeMasked(draft, sent, mask);
  const transformResults = transforms.map((transform) => applyTransform(draft, transform, requestTimeMicros));
  return { message: draft.toMessage(), transformResults };
}

function applyTransform(draft: EntityDraft, transform: PropertyTransform, requestTimeMicros: bigint): Value {
  const owner = ownerOf(draft, transform.path);
  const name = transform.path.at(-1) ?? '';
  switch (transform.kind) {
    case 'append-missing':
      arrayIn(owner, name).appendMissing(transform.elements);
      return NULL;
    case 'remove-all':
      arrayIn(owner, name).removeAll(transform.elements);
      return NULL;
    case 'request-time':
    case 'increment':
    case 'maximum':
    case 'minimum': {
      const stored = valueIn(owner, name);
      const made = madeOf(stored, transform, requestTimeMicros);
      if (made === stored) return made;
      const isExcluded = stored?.excludeFromIndexes ?? ('operand' in transform && transform.operand.excludeFromIndexes);
      const result: Value = isExcluded ? { ...made, excludeFromIndexes: true } : made;
      owner.set(name, new SetValue(result));
      return result;
    }
    default:
      return assertNever(transform);
  }
}

type ValueTransform = Extract<PropertyTransform, { readonly kind: 'request-time' | 'increment' | 'maximum' | 'minimum' }>;

function madeOf(stored: Value | undefined, transform: ValueTransform, requestTimeMicros: bigint): Value {
  if (transform.kind === 'request-time') return { kind: 'timestamp', micros: requestTimeMicros };
  const { kind, operand } = transform;
  // Checked with the mutation.
  if (!isNumber(operand)) return operand;
  if (kind === 'increment') return increment(stored, operand);
  return kind === 'maximum' ? maximum(stored, operand) : minimum(stored, operand);
}

/** The entity that has the property at the path, or is to have it. */
function ownerOf(draft: EntityDraft, path: PropertyPath): EntityDraft {
  let owner = draft;
  for (const [at, name] of path.slice(0, -1).entries()) {
    const known = owner.embedded(name);
    if (known === 'array') throw intoArray(path.slice(0, at + 1));
    const inner = known instanceof EntityDraft ? known : new EntityDraft();
    if (inner !== known) owner.embed(name, inner);
    owner = inner;
  }
  return owner;
}

function valueIn(owner: EntityDraft, name: string): Value | undefined {
  const found = owner.value(name);
  if (found instanceof SetValue || found instanceof ArrayEdit) return found.value;
  return found && decodeValue(Buffer.isBuffer(found) ? found : found.toMessage());
}

/** The array that the property is, or becomes. */
function arrayIn(owner: EntityDraft, name: string): ArrayEdit {
  const found = owner.value(name);
  if (found instanceof ArrayEdit) return found;
  const stored = valueIn(owner, name);
  const array = stored && Buffer.isBuffer(found) ? new ArrayEdit(stored, found) : new ArrayEdit(stored);
  owner.set(name, array);
  return array;
}
