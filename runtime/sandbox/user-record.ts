// Which user of this machine each app is, as DATA/app-users remembers it, so that no two apps ever are the same one:
//
//   file := 'range ' first ' ' count LF ( uid ' ' appId LF )*      in the order in which they came
//
// The first number of the range is nobody's: see user-namespace.ts. Numbers are not given anew when an app is deleted.
// Nothing on disk belongs to these users while nothing is built, so a record of another machine may be dropped.
import { type UserRange } from './user-range.ts';

export interface UserRecord {
  readonly range: UserRange;
  readonly uids: ReadonlyMap<string, number>;
}

/** The record in `text`, or an empty one when there is none for this range or a line cannot be read. */
export function readUserRecord(text: string, range: UserRange): UserRecord {
  const [head, ...lines] = text.split('\n').filter((line) => line !== '');
  const empty = { range, uids: new Map<string, number>() };
  if (head !== `range ${range.first} ${range.count}`) return empty;
  const uids = new Map<string, number>();
  for (const line of lines) {
    const match = /^(\d+) (\S+)$/.exec(line);
    const [, uid, appId] = match ?? [];
    if (uid === undefined || appId === undefined || !isFree(Number(uid), { range, uids }) || uids.has(appId)) return empty;
    uids.set(appId, Number(uid));
  }
  return { range, uids };
}

export function writeUserRecord({ range, uids }: UserRecord): string {
  return [`range ${range.first} ${range.count}`, ...[...uids].map(([appId, uid]) => `${uid} ${appId}`), ''].join('\n');
}

/** The record with `appId` in it; undefined when the range has no number left. */
export function withApp(record: UserRecord, appId: string): UserRecord | undefined {
  if (record.uids.has(appId)) return record;
  const uid = Math.max(record.range.first, ...record.uids.values()) + 1;
  return isFree(uid, record) ? { ...record, uids: new Map([...record.uids, [appId, uid]]) } : undefined;
}

function isFree(uid: number, { range, uids }: UserRecord): boolean {
  return uid > range.first && uid < range.first + range.count && ![...uids.values()].includes(uid);
}
