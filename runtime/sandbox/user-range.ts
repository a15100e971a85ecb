// Which numbers of users are free for apps on this machine. Pure: the file of /proc is given as text.

export interface UserRange {
  readonly first: number;
  readonly count: number;
}

/**
 * systemd's table of user ids (https://systemd.io/UIDS-GIDS) leaves these to nobody, and subordinate ids end below.
 * Each data directory gets one of 4,096 parts, so that two platforms on a machine hardly ever share a user.
 */
const UNUSED_FIRST = 0x7000_0000;
const PART_COUNT = 4_096;
const PART_SIZE = 65_536;
/** In a container there may be no more than the 65,536 of a usual mapping: the upper part of them, below `nobody`. */
const CONTAINER: UserRange = { first: 40_000, count: 20_000 };

/** `uidMap`: /proc/self/uid_map; `part`: any number that stands for the data directory. */
export function userRange(uidMap: string, part: number): UserRange | undefined {
  const own = { first: UNUSED_FIRST + (part % PART_COUNT) * PART_SIZE, count: PART_SIZE };
  return [own, CONTAINER].find((range) => isMapped(uidMap, range));
}

function isMapped(uidMap: string, { first, count }: UserRange): boolean {
  return uidMap.split('\n').some((line) => {
    const [inside = NaN, , length = NaN] = line.trim().split(/\s+/).map(Number);
    return inside <= first && first + count <= inside + length;
  });
}
