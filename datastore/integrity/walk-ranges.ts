// Which keys a check walks: all of them, or those of one app and those of nobody.
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { FAMILY } from '../codec/row-key.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type KeyRange } from '../storage/port.ts';

/** Families whose keys name an app right behind the family. */
const OF_APPS: ReadonlySet<number> = new Set([
  FAMILY.appBytes,
  FAMILY.composite,
  FAMILY.settings,
  FAMILY.entity,
  FAMILY.kind,
  FAMILY.property,
  FAMILY.index,
]);
const START = Buffer.alloc(0);
/** No key of ours begins with FF. */
const END = Buffer.alloc(16, 0xff);

/** Ascending, without overlaps. Rows of unknown families are in every walk. */
export function walkRanges(appId: string | undefined): readonly KeyRange[] {
  if (appId === undefined) return [{ from: START, to: END }];
  const ranges: KeyRange[] = [];
  let from = START;
  for (const family of [...OF_APPS].sort((left, right) => left - right)) {
    ranges.push({ from, to: Buffer.from([family]) }, prefixRange(new OrderedWriter().byte(family).text(appId).take()));
    from = Buffer.from([family + 1]);
  }
  ranges.push({ from, to: END });
  return ranges.filter((range) => Buffer.compare(range.from, range.to) < 0);
}
