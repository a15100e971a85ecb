// When a token was last used, as a property beside its record. The datastore role alone writes it, and only where the
// record still is, so that a deleted token does not come back; the control role never changes a token, so nothing is lost.
import { type Entity } from '../../sdk/contract/entity.ts';

const USED = 'usedAtMs';

/** Undefined: never. */
export function lastUseOf({ properties }: Entity): number | undefined {
  const used = properties[USED];
  return used?.kind === 'integer' ? Number(used.value) : undefined;
}

export function withUse(entity: Entity, nowMs: number): Entity {
  const used = { kind: 'integer', value: BigInt(nowMs), excludeFromIndexes: true } as const;
  return { ...entity, properties: { ...entity.properties, [USED]: used } };
}
