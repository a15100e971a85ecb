// Whether two Entity messages say the same, though the order of properties may differ: some client libraries write maps in any
// order. Both must have been decoded before. At worst two messages of the same content count as different.
import { EntityDraft } from './entity-draft.ts';
import { fieldAt } from './message-field.ts';
import { arrayItems, valueParts } from './value-message.ts';

const PROPERTY_FIELD = 3;

export function isSameEntity(left: Buffer, right: Buffer): boolean {
  if (left.length !== right.length) return false;
  if (left.equals(right)) return true;
  return !isPlainlyOther(left, right) && isSameDraft(EntityDraft.of(left), EntityDraft.of(right));
}

/** Whether the first difference is in a value, of one property in both, that has no order of its own: so it is with nearly all that differ. */
function isPlainlyOther(left: Buffer, right: Buffer): boolean {
  for (let offset = 0; offset < left.length;) {
    const [one, other] = [fieldAt(left, offset), fieldAt(right, offset)];
    if (one.number !== other.number || one.end !== other.end) return false;
    const [field, otherField] = [left.subarray(offset, one.end), right.subarray(offset, one.end)];
    if (!field.equals(otherField))
      return one.number === PROPERTY_FIELD && isOtherProperty(EntityDraft.of(field), EntityDraft.of(otherField));
    offset = one.end;
  }
  return false;
}

function isOtherProperty(left: EntityDraft, right: EntityDraft): boolean {
  const [name = ''] = left.names;
  const [one, other] = [messageOf(left, name), messageOf(right, name)];
  return one !== undefined && other !== undefined && valueParts(one).kind === 'other' && !one.equals(other);
}

function isSameDraft(left: EntityDraft, right: EntityDraft): boolean {
  const names = [...left.names];
  if (names.length !== [...right.names].length || !left.others.equals(right.others)) return false;
  return names.every((name) => isSameValue(messageOf(left, name), messageOf(right, name)));
}

function isSameValue(left: Buffer | undefined, right: Buffer | undefined): boolean {
  if (left === undefined || right === undefined || left.length !== right.length) return false;
  if (left.equals(right)) return true;
  const [one, other] = [valueParts(left), valueParts(right)];
  if (one.kind !== other.kind || !one.marks.equals(other.marks)) return false;
  if (one.kind === 'entity') return isSameDraft(EntityDraft.of(one.body), EntityDraft.of(other.body));
  if (one.kind !== 'array') return one.body.equals(other.body);
  const [items, others] = [arrayItems(one.body), arrayItems(other.body)];
  return items.length === others.length && items.every((item, at) => isSameValue(item, others[at]));
}

function messageOf(draft: EntityDraft, name: string): Buffer | undefined {
  const value = draft.value(name);
  return Buffer.isBuffer(value) ? value : undefined;
}
