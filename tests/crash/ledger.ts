// What was acknowledged, and what may have happened: the truth that the store is compared with after each crash.
//
// Every client writes entities of its own, one commit at a time, so what it was told is exactly what must be there; only
// its last commit, whose answer was lost, may be there or not: then whole or not at all. What all share (accounts, notice
// boards) is compared by sums and by versions.
import { isDeepStrictEqual } from 'node:util';
import { key } from '../../datastore/fixture.ts';
import { type Properties } from '../../sdk/contract/entity.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { type Found, nameOf } from './calls.ts';

/** One entity of a commit as it is afterwards; no properties for deleted. */
export interface Write {
  readonly key: Key;
  readonly properties?: Properties;
}

export interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly amount: bigint;
}

/** A commit that was sent. */
export interface Sent {
  /** Entities that nobody else writes. */
  readonly writes: readonly Write[];
  /** A note to be inserted under a new id, by its unique text. */
  readonly note?: string;
  /** The note's id to be deleted. */
  readonly deletedNote?: bigint;
  readonly transfer?: Transfer;
  /** A post on a board that everybody writes on, by its unique text. */
  readonly post?: { readonly board: number; readonly text: string };
}

interface State {
  readonly key: Key;
  readonly properties?: Properties;
  readonly version: bigint;
}

/** What was read after a crash. */
export interface Observed {
  /** By name; every known key was asked for. */
  readonly entities: ReadonlyMap<string, Found | undefined>;
  /** All notes, by id. */
  readonly notes: ReadonlyMap<bigint, string>;
  readonly balances: readonly bigint[];
  readonly boards: readonly ({ readonly text: string; readonly version: bigint } | undefined)[];
}

export const ACCOUNTS = 10;
export const BOARDS = 4;
export const BALANCE_AT_FIRST = 1_000n;

export class Ledger {
  readonly #states = new Map<string, State>();
  readonly #notes = new Map<bigint, string>();
  readonly #balances: bigint[] = Array.from({ length: ACCOUNTS }, () => BALANCE_AT_FIRST);
  readonly #boards: ({ text: string; version: bigint } | undefined)[] = Array.from({ length: BOARDS }, () => undefined);
  readonly #underWay = new Set<Sent>();
  readonly #ids = new Set<bigint>();
  readonly #versions = new Set<bigint>();
  /** The newest version that was known before the latest crash. */
  #versionBefore = 0n;
  #versionMax = 0n;
  /** What was found wrong, in words. */
  readonly problems: string[] = [];
  acknowledged = 0;
  unknownApplied = 0;
  unknownLost = 0;
  compared = 0;

  get keys(): readonly Key[] {
    return [...this.#states.values(), ...[...this.#underWay].flatMap(({ writes }) => writes)].map((one) => one.key);
  }

  /** What `key` is as its owner knows it; undefined when it is not there. */
  propertiesOf(entity: Key): Properties | undefined {
    return this.#states.get(nameOf(entity))?.properties;
  }

  versionOf(entity: Key): bigint | undefined {
    const state = this.#states.get(nameOf(entity));
    return state?.properties && state.version;
  }

  /** Entities that are there, whose kind and root are these. */
  present(kind: string, root?: string): readonly { readonly key: Key; readonly properties: Properties }[] {
    return [...this.#states.values()].flatMap(({ key: at, properties }) =>
      properties && at.path.at(-1)?.kind === kind && (root === undefined || at.path[0]?.name === root) ? [{ key: at, properties }] : [],
    );
  }

  get balances(): readonly bigint[] {
    return this.#balances;
  }

  get notes(): ReadonlyMap<bigint, string> {
    return this.#notes;
  }

  /** A commit is on its way. */
  send(sent: Sent): void {
    this.#underWay.add(sent);
  }

  /** It had no effect. */
  refused(sent: Sent): void {
    this.#underWay.delete(sent);
  }

  /** It was acknowledged. */
  succeeded(sent: Sent, version: bigint, noteId?: bigint): void {
    this.acknowledged++;
    if (this.#versions.has(version)) this.problems.push(`the version ${version} was given to two commits`);
    if (version <= this.#versionBefore)
      this.problems.push(`the version ${version} is not above ${this.#versionBefore}, known before the crash`);
    this.#versions.add(version);
    this.#apply(sent, version, noteId);
  }

  /** Ids that were given out. */
  gaveOut(ids: readonly bigint[]): void {
    for (const id of ids) {
      if (this.#ids.has(id)) this.problems.push(`the id ${id} was given out twice`);
      this.#ids.add(id);
    }
  }

  /** Compares after a crash, and settles what was under way. */
  compare(observed: Observed): void {
    const unknown = [...this.#underWay];
    this.#underWay.clear();
    this.#settleBoards(observed, unknown);
    for (const sent of unknown) {
      if (sent.post === undefined) this.#settle(observed, sent);
    }
    for (const [name, state] of this.#states) {
      const found = observed.entities.get(name);
      this.compared++;
      if (!isDeepStrictEqual(plain(found?.entity.properties), plain(state.properties))) {
        this.problems.push(`${name} is not what was acknowledged: found ${show(found?.entity.properties)}, want ${show(state.properties)}`);
      } else if (found && found.version !== state.version) {
        this.problems.push(`${name} has version ${found.version}, acknowledged was ${state.version}`);
      }
    }
    for (const [id, text] of this.#notes) {
      if (observed.notes.get(id) !== text) this.problems.push(`the note ${id} (${text}) is not there`);
    }
    for (const [id, text] of observed.notes) {
      if (!this.#notes.has(id)) this.problems.push(`the note ${id} (${text}) is there and should not be`);
    }
    if (!isDeepStrictEqual([...observed.balances], this.#balances)) {
      this.problems.push(`balances are ${observed.balances.join(' ')}, want ${this.#balances.join(' ')}`);
    }
    for (const { version } of this.#states.values()) this.#versionMax = version > this.#versionMax ? version : this.#versionMax;
    this.#versionBefore = this.#versionMax;
  }

  #settle(observed: Observed, sent: Sent): void {
    const { writes, note, deletedNote } = sent;
    const changed = writes.filter((write) => !isDeepStrictEqual(plain(write.properties), plain(this.propertiesOf(write.key))));
    const found = changed.map((write) => observed.entities.get(nameOf(write.key)));
    const signs = changed.map((write, at) => isDeepStrictEqual(plain(found[at]?.entity.properties), plain(write.properties)));
    const noteId = [...observed.notes].find(([id, text]) => text === note && !this.#notes.has(id))?.[0];
    if (note !== undefined) signs.push(noteId !== undefined);
    if (deletedNote !== undefined) signs.push(!observed.notes.has(deletedNote));
    if (!signs.includes(true)) {
      this.unknownLost++;
      return;
    }
    this.unknownApplied++;
    if (signs.includes(false)) this.problems.push(`half a commit is there: ${signs.join(' ')} of ${show(sent)}`);
    const versions = new Set(found.flatMap((one) => (one ? [one.version] : [])));
    if (versions.size > 1) this.problems.push(`one commit has several versions: ${[...versions].join(' ')}`);
    const [version = 0n] = versions;
    if (version !== 0n && version <= this.#versionBefore) this.problems.push(`the version ${version} was found, which is too old`);
    if (noteId !== undefined) this.gaveOut([noteId]);
    this.#apply(sent, version, noteId);
  }

  /** Everybody writes on a board, so its text is that of the newest acknowledged post, or of a later one whose answer was lost. */
  #settleBoards(observed: Observed, unknown: readonly Sent[]): void {
    observed.boards.forEach((found, board) => {
      const known = this.#boards[board];
      const posts = unknown.filter(({ post }) => post?.board === board);
      const isKnown = found?.text === known?.text && found?.version === known?.version;
      const isLater = found !== undefined && found.version > (known?.version ?? 0n) && posts.some(({ post }) => post?.text === found.text);
      if (!isKnown && !isLater) {
        this.problems.push(`board ${board} has ${show(found)}, the newest acknowledged is ${show(known)}`);
      }
      this.unknownApplied += isLater ? 1 : 0;
      this.unknownLost += posts.length - (isLater ? 1 : 0);
      this.#boards[board] = found && { ...found };
      if (found && found.version > this.#versionMax) this.#versionMax = found.version;
    });
  }

  #apply(sent: Sent, version: bigint, noteId?: bigint): void {
    this.#underWay.delete(sent);
    if (version > this.#versionMax) this.#versionMax = version;
    for (const { key: at, properties } of sent.writes)
      this.#states.set(nameOf(at), { key: at, version, ...(properties ? { properties } : {}) });
    if (sent.note !== undefined && noteId !== undefined) this.#notes.set(noteId, sent.note);
    if (sent.deletedNote !== undefined) this.#notes.delete(sent.deletedNote);
    if (sent.transfer) {
      const { from, to, amount } = sent.transfer;
      this.#balances[from]! -= amount;
      this.#balances[to]! += amount;
    }
    if (sent.post) {
      const known = this.#boards[sent.post.board];
      if (!known || known.version < version) this.#boards[sent.post.board] = { text: sent.post.text, version };
    }
  }
}

export const accountKey = (account: number): Key => key('Account', `a${account}`);
export const boardKey = (board: number): Key => key('Board', `b${board}`);

/** Without prototypes, whose difference says nothing. */
function plain(properties: Properties | undefined): Properties | undefined {
  return properties && { ...properties };
}

function show(what: unknown): string {
  const text = JSON.stringify(what, (_, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one)) as string | undefined;
  return text === undefined ? 'nothing' : text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
