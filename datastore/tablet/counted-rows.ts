// Which rows the statistics count: what commits write for apps. Rows of the datastore's own upkeep are few and not counted,
// so that the figures of all tablets add up to those of all apps.
import { FAMILY } from '../codec/row-key.ts';

const UPKEEP: ReadonlySet<number> = new Set([
  FAMILY.appBytes,
  FAMILY.settings,
  FAMILY.metadata,
  FAMILY.sequence,
  FAMILY.load,
  FAMILY.index,
]);

export function isCounted(key: Buffer): boolean {
  const [family] = key;
  return family !== undefined && !UPKEEP.has(family);
}
