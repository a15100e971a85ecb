// A datastore key as plain data. Rules: reference "Key" (1..100 path elements, kind and name at most 1,500 bytes of
// UTF-8, an id is never 0, only the last element may lack both id and name).

export interface PathElement {
  readonly kind: string;
  /** Present, and never 0, for a numeric id. */
  readonly id?: bigint;
  /** Present, and never empty, for a name. */
  readonly name?: string;
}

export interface Key {
  /** The app. Empty from inside an instance: the server fills in the one that owns the socket. */
  readonly projectId: string;
  /** Empty for the default database. */
  readonly databaseId: string;
  /** Empty for the default namespace. */
  readonly namespace: string;
  /** Root first. */
  readonly path: readonly PathElement[];
}

/** Whether every element has an id or a name. */
export function isComplete(key: Key): boolean {
  const last = key.path.at(-1);
  return last !== undefined && (last.id !== undefined || last.name !== undefined);
}

/** The key's path as people read it: `Guestbook:"main" / Greeting:5`. */
export function describeKey(key: Key): string {
  const path = key.path.map((element) => {
    if (element.id !== undefined) return `${element.kind}:${element.id}`;
    return element.name === undefined ? `${element.kind}:?` : `${element.kind}:${JSON.stringify(element.name)}`;
  });
  return path.join(' / ');
}
