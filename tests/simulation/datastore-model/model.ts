// The datastore as a list of states: each commit makes the next one. Nothing is indexed, nothing is locked.
import { isDeepStrictEqual } from 'node:util';
import { type ErrorCode } from '../../../sdk/contract/errors.ts';
import { type Key } from '../../../sdk/contract/key.ts';
import { keyText, type ModelEntity } from './evaluation.ts';
import { type ModelMutation } from './operation.ts';

export type State = ReadonlyMap<string, ModelEntity>;

export interface ModelTransaction {
  readonly id: Uint8Array;
  readonly readOnly: boolean;
  /** What its reads see. */
  readonly state: State;
  /** Commits before it. */
  readonly begunAfter: number;
  readonly startedMs: number;
  usedMs: number;
  /** Each read as a function of a state, to be asked again at the commit. */
  readonly reads: ((state: State) => string)[];
  readonly keys: Set<string>;
  /** Kinds that it queried; the empty name for all. */
  readonly kinds: Set<string>;
}

export interface PastState {
  readonly state: State;
  readonly version: bigint;
}

interface Commit {
  readonly keys: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

const PAST_KEPT = 30;

export class Model {
  #state: State = new Map();
  readonly #commits: Commit[] = [];
  #past: readonly PastState[] = [];
  #lastVersion = 0n;

  get state(): State {
    return this.#state;
  }

  /** What one of the latest commits left; undefined before the first. */
  past(choice: number): PastState | undefined {
    return this.#past[choice % Math.max(1, this.#past.length)];
  }

  get commits(): number {
    return this.#commits.length;
  }

  /** What the mutations lead to from that state, or the code that refuses them. Incomplete keys are left out. */
  outcome(state: State, mutations: readonly ModelMutation[]): ErrorCode | undefined {
    const exists = new Map<string, boolean>();
    if (hasForbiddenPair(mutations)) return 'DS_INVALID';
    for (const { op, key, base } of mutations) {
      if (isIncomplete(key)) continue;
      const name = keyText(key);
      const isThere = exists.get(name) ?? state.has(name);
      // Above the stored version; or of an entity that may have been there once.
      if (base === 'wrong') return isThere ? 'DS_INVALID' : 'DS_TX_CONFLICT';
      if (base === 'stored' && op === 'update' && !isThere) return 'DS_INVALID';
      if (op === 'insert' && isThere) return 'DS_ALREADY_EXISTS';
      if (op === 'update' && !isThere) return 'DS_NOT_FOUND';
      exists.set(name, op !== 'delete');
    }
    return undefined;
  }

  /**
   * Applies a commit that succeeded. `keys` are complete, in the order of the mutations, as are `versions`, those it answered.
   * Returns what is wrong with them.
   */
  apply(mutations: readonly ModelMutation[], keys: readonly Key[], version: bigint, versions: readonly bigint[]): string | undefined {
    if (mutations.length === 0) return undefined;
    if (version <= this.#lastVersion) return `the version ${version} is not above ${this.#lastVersion}`;
    this.#lastVersion = version;
    const next = new Map(this.#state);
    const deleted = new Set<string>();
    const names = mutations.map((mutation, at) => {
      const key = keys[at] ?? mutation.key;
      const name = keyText(key);
      if (mutation.op === 'delete') {
        next.delete(name);
        deleted.add(name);
      } else next.set(name, { key, properties: mutation.properties, version });
      return name;
    });
    for (const name of names) {
      const [stored, written] = [this.#state.get(name), next.get(name)];
      // What is written as it was is as old as it was.
      if (stored && written && !deleted.has(name) && isDeepStrictEqual(stored.properties, written.properties)) next.set(name, stored);
    }
    const wanted = mutations.map(({ op }, at) => (op === 'delete' ? version : (next.get(names[at] ?? '')?.version ?? version)));
    this.#state = next;
    this.#past = [...this.#past, { state: next, version }].slice(-PAST_KEPT);
    this.#commits.push({ keys: new Set(keys.map(keyText)), kinds: new Set(keys.flatMap(kindsOf)) });
    return isDeepStrictEqual(versions, wanted) ? undefined : `the versions ${versions.join()} were answered, want ${wanted.join()}`;
  }

  /** Whether a commit since it began has touched what the transaction read, or what it would write. */
  isDisturbed(transaction: ModelTransaction, mutations: readonly ModelMutation[]): boolean {
    const written = new Set(mutations.map(({ key }) => keyText(key)));
    return this.#commits
      .slice(transaction.begunAfter)
      .some((commit) => [...commit.keys].some((name) => written.has(name)) || overlaps(transaction, commit));
  }
}

/** Whether writing these would touch what the transaction read. */
export function wouldTouch(transaction: ModelTransaction, mutations: readonly ModelMutation[]): boolean {
  return overlaps(transaction, {
    keys: new Set(mutations.map(({ key }) => keyText(key))),
    kinds: new Set(mutations.flatMap(({ key }) => kindsOf(key))),
  });
}

/** Of an entity's mutations, one after the other. */
function hasForbiddenPair(mutations: readonly ModelMutation[]): boolean {
  const former = new Map<string, ModelMutation['op']>();
  return mutations.some(({ op, key }) => {
    if (isIncomplete(key)) return false;
    const before = former.get(keyText(key));
    former.set(keyText(key), op);
    if (before === undefined) return false;
    return before === 'delete' ? op === 'update' : op === 'insert';
  });
}

export function isIncomplete({ path }: Key): boolean {
  const last = path.at(-1);
  return last?.id === undefined && last?.name === undefined;
}

function overlaps({ keys, kinds }: ModelTransaction, commit: Commit): boolean {
  if (kinds.has('') && commit.keys.size > 0) return true;
  return [...commit.keys].some((name) => keys.has(name)) || [...commit.kinds].some((kind) => kinds.has(kind));
}

/** With those of its ancestors: a query of a kind may hold the whole stretch of keys in which its entities lie. */
function kindsOf({ path }: Key): readonly string[] {
  return path.map(({ kind }) => kind);
}
