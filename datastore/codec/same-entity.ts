// Whether two Entity messages say the same, though the order of properties may differ: some client libraries write maps in any
// order. Both must have been decoded before. At worst two messages of the same content count as different.
import { EntityDraft } from './entity-draft.ts';
import { arrayItems, valueParts } from './value-message.ts';

/** Beyond, adding up bytes takes longer than looking at properties, of which there are few. */
const SUMMED_BYTES_MAX = 4_096;

export function isSameEntity(left: Buffer, right: Buffer): boolean {
  if (left.length !== right.length) return false;
  if (left.equals(right)) return true;
  // Another order has the same bytes, so nearly all that differ are told apart by their sum, without a look at what they mean.
  if (left.length <= SUMMED_BYTES_MAX && byteSum(left) !== byteSum(right)) return false;
  return isSameDraft(EntityDraft.of(left), EntityDraft.of(right));
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

function byteSum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) sum += bytes[at] ?? 0;
  return sum;
}
