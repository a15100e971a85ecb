// Property masks: of a read, which properties are answered; of a write, which ones change. Values that are kept or replaced as a
// whole are copied as bytes, not decoded.
//
// A path names a value: one that leads nowhere names nothing. Of an embedded entity that is named in part, its own key and what
// is said about it as a value (meaning, exclusion from indexes) come along.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { EntityDraft } from './entity-draft.ts';
import { formatPropertyPath, type PropertyPath } from './property-path.ts';

type MaskTree = ReadonlyMap<string, MaskNode>;
/** The whole value, or parts of an embedded entity. */
type MaskNode = 'whole' | { readonly parts: Map<string, MaskNode> };

/** One mask is for many results. */
const trees = new WeakMap<readonly PropertyPath[], MaskTree>();

/** The Entity message with its key and, of its properties, those that `paths` name. It must have been decoded before. */
export function maskedMessage(message: Buffer, paths: readonly PropertyPath[]): Buffer {
  return pick(EntityDraft.of(message), treeOf(paths)).toMessage();
}

/**
 * Makes the properties of `entity` that `paths` name what they are in `sent`, absent where they are absent there. A value that
 * is no embedded entity becomes one when `sent` has something in it. Throws DS_INVALID for a path into an array.
 */
export function mergeMasked(entity: EntityDraft, sent: EntityDraft, paths: readonly PropertyPath[]): void {
  merge(entity, sent, treeOf(paths), []);
}

function pick(entity: EntityDraft, tree: MaskTree): EntityDraft {
  const picked = EntityDraft.withKeyOf(entity);
  for (const name of entity.names) {
    const node = tree.get(name);
    if (node === undefined) continue;
    if (node === 'whole') {
      picked.copy(name, entity);
      continue;
    }
    const inner = entity.embedded(name);
    if (!(inner instanceof EntityDraft)) continue;
    const part = pick(inner, node.parts);
    if (!part.isEmpty) picked.embed(name, part, entity);
  }
  return picked;
}

function merge(entity: EntityDraft, sent: EntityDraft, tree: MaskTree, above: PropertyPath): void {
  for (const [name, node] of tree) {
    if (node === 'whole') {
      entity.copy(name, sent);
      continue;
    }
    const path = [...above, name];
    const from = sent.embedded(name);
    const into = entity.embedded(name);
    if (from === 'array' || into === 'array') throw intoArray(path);
    if (into instanceof EntityDraft) merge(into, from instanceof EntityDraft ? from : new EntityDraft(), node.parts, path);
    else if (from instanceof EntityDraft) {
      const part = EntityDraft.withKeyOf(from);
      merge(part, from, node.parts, path);
      if (!part.isEmpty) entity.embed(name, part, sent);
    }
  }
}

/** Of a write whose path goes on below an array. */
export function intoArray(path: PropertyPath): PlatformError {
  return new PlatformError('DS_INVALID', `a property path leads into "${formatPropertyPath(path)}", which is an array`);
}

function treeOf(paths: readonly PropertyPath[]): MaskTree {
  const known = trees.get(paths);
  if (known) return known;
  const tree = new Map<string, MaskNode>();
  for (const path of paths) add(tree, path);
  trees.set(paths, tree);
  return tree;
}

function add(tree: Map<string, MaskNode>, path: PropertyPath): void {
  let at = tree;
  for (const name of path.slice(0, -1)) {
    const known = at.get(name);
    if (known === 'whole') return;
    const parts = known?.parts ?? new Map<string, MaskNode>();
    at.set(name, { parts });
    at = parts;
  }
  at.set(path.at(-1) ?? '', 'whole');
}
