// Does each operation to the real datastore and to the model, and compares the answers.
import { isDeepStrictEqual } from 'node:util';
import { definitionsIn, APP } from '../../../datastore/fixture.ts';
import { Datastore } from '../../../datastore/datastore.ts';
import { type QueryAnswer } from '../../../datastore/read-answer.ts';
import { type ReadOptions } from '../../../datastore/reads.ts';
import { type Store } from '../../../datastore/storage/port.ts';
import { type WireMutation } from '../../../sdk/contract/datastore-wire.ts';
import { decodeEntity, decodeKey, encodeEntity, encodeKey } from '../../../sdk/contract/entity-proto.ts';
import { type Value } from '../../../sdk/contract/entity.ts';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { type Key } from '../../../sdk/contract/key.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type Query } from '../../../sdk/contract/query.ts';
import { MemoryLog } from '../../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../../sdk/support/virtual-time.ts';
import { aggregatesText } from './aggregation.ts';
import {
  columnsOf,
  compareEntries,
  type Entry,
  entriesOf,
  firstPlaces,
  keyText,
  type Meaning,
  meaningOf,
  propertiesText,
  sortText,
  valueText,
} from './evaluation.ts';
import { isIncomplete, Model, type ModelTransaction, type PastState, type State, wouldTouch } from './model.ts';
import { type ModelMutation, type Operation } from './operation.ts';

type OperationOf<K extends Operation['kind']> = Extract<Operation, { kind: K }>;

/** The datastore answered what the model does not. */
export class Difference extends Error {}

export interface RunCount {
  operations: number;
  queries: number;
  results: number;
  commits: number;
  conflicts: number;
  indexes: number;
}

interface KeptCursor {
  readonly query: Query;
  readonly meaning: Meaning;
  readonly behind: Entry;
  readonly cursor: Uint8Array;
}

const CURSORS_KEPT = 12;
const INDEX_ATTEMPTS_MAX = 5;
const VIRTUAL_STEP_MS = 1_000;
const VIRTUAL_STEPS_MAX = 1_000;

export class ModelRun {
  readonly #store: Store;
  readonly #patienceMs: number;
  readonly #time = new VirtualTime(1_700_000_000_000);
  readonly #log = new MemoryLog();
  readonly #model = new Model();
  readonly #slots = new Map<number, ModelTransaction>();
  readonly #ended = new Map<number, Uint8Array>();
  #cursors: KeptCursor[] = [];
  /** While reads are of an earlier state. */
  #past: PastState | undefined;
  #datastore: Datastore;
  readonly count: RunCount = { operations: 0, queries: 0, results: 0, commits: 0, conflicts: 0, indexes: 0 };

  /** `patienceMs` is how long an answer may take before virtual time moves on, for calls that wait for a time to pass. */
  constructor(store: Store, patienceMs: number) {
    this.#store = store;
    this.#patienceMs = patienceMs;
    this.#datastore = this.#newDatastore();
  }

  async start(concurrency: 'pessimistic' | 'optimistic'): Promise<void> {
    await this.#datastore.start();
    await this.#datastore.settings.change(APP.appId, (settings) => ({ ...settings, concurrency }));
  }

  /** Ends the run and looks once more at everything. */
  async finish(): Promise<void> {
    for (const kind of ['A', 'B']) {
      await this.#query({ kind: 'query', query: { databaseId: '', namespace: '', entityKind: kind, orders: [], offset: 0 }, batch: 1_000 });
    }
    const findings = await this.#findings();
    if (findings.length > 0) throw new Difference(`the integrity check finds ${JSON.stringify(findings.slice(0, 5))}`);
    const problem = this.#log.lines.find(({ level }) => level === 'error');
    if (problem) throw new Difference(`the datastore logged an error: ${problem.message} ${JSON.stringify(problem.fields)}`);
    await this.close();
  }

  async close(): Promise<void> {
    await this.#datastore.close();
  }

  /** What the datastore's own check of everything on disk reports. */
  async #findings(): Promise<readonly unknown[]> {
    const findings: unknown[] = [];
    for (let from: Uint8Array | undefined, isDone = false; !isDone;) {
      const step = await this.#datastore.checker.step({}, from ? { from } : {});
      findings.push(...step.findings);
      from = step.next;
      isDone = step.next === undefined;
    }
    return findings;
  }

  /** Throws Difference. */
  async do(operation: Operation): Promise<void> {
    this.count.operations++;
    switch (operation.kind) {
      case 'begin':
        return this.#begin(operation);
      case 'rollback':
        return this.#rollback(operation);
      case 'commit':
        return this.#commit(operation);
      case 'lookup':
        return this.#lookup(operation);
      case 'query':
        return this.#query(operation);
      case 'continue':
        return this.#continue(operation);
      case 'aggregate':
        return this.#aggregate(operation);
      case 'past':
        return this.#readPast(operation);
      case 'index':
        return this.#index(operation);
      case 'unindex':
        return this.#unindex(operation);
      case 'restart':
        return this.#restart();
      case 'wait':
        return this.#time.advanceAsync(operation.ms);
    }
  }

  #newDatastore(): Datastore {
    return new Datastore(this.#store, this.#time, this.#time, new SeededRandom(7), this.#log, {
      tablets: { splitBytes: 4_096, rowsPerMinuteMax: 300 },
    });
  }

  async #begin({ slot, readOnly, past: choice }: OperationOf<'begin'>): Promise<void> {
    if (this.#slots.has(slot)) return;
    const past = choice === undefined ? undefined : this.#model.past(choice);
    const options = { readOnly, ...(past ? { readTime: past.version } : {}) };
    const id = await this.#settled(() => this.#datastore.beginTransaction(APP, options));
    if (id instanceof PlatformError) throw new Difference(`begin failed: ${id.code} ${id.message}`);
    const nowMs = this.#time.monotonicMs();
    this.#slots.set(slot, {
      id,
      readOnly,
      state: past?.state ?? this.#model.state,
      begunAfter: this.#model.commits,
      startedMs: nowMs,
      usedMs: nowMs,
      reads: [],
      keys: new Set(),
      kinds: new Set(),
    });
  }

  async #rollback({ slot }: OperationOf<'rollback'>): Promise<void> {
    const found = this.#slots.get(slot);
    if (!found) return;
    const isOver = this.#isOver(found);
    this.#end(slot);
    const answer = await this.#settled(() => this.#datastore.rollback(APP, found.id));
    if (isOver && answer instanceof PlatformError && answer.code === 'DS_TX_INVALID') return;
    if (answer instanceof PlatformError) throw new Difference(`rollback failed: ${answer.code}`);
  }

  async #commit({ slot, mutations }: OperationOf<'commit'>): Promise<void> {
    const found = slot === undefined ? undefined : this.#slots.get(slot);
    if (slot !== undefined && !found) return;
    const isOver = found !== undefined && this.#isOver(found);
    if (slot !== undefined) this.#end(slot);
    const before = found?.state ?? this.#model.state;
    const wire = mutations.map((mutation) => this.#toWire(mutation, before));
    const others = [...this.#slots.values()].filter((one) => !one.readOnly && !this.#isOver(one));
    const answer = await this.#settled(() => this.#datastore.commit(APP, wire, found ? { transaction: found.id } : {}));
    if (isOver) return this.#expectCode(answer, ['DS_TX_INVALID'], 'a commit of a transaction that is over');
    if (found?.readOnly && mutations.length > 0) return this.#expectCode(answer, ['DS_INVALID'], 'a write in a read-only transaction');
    const wanted = this.#model.outcome(this.#model.state, mutations);
    if (answer instanceof PlatformError) {
      const isAllowedConflict =
        answer.code === 'DS_TX_CONFLICT' &&
        ((found !== undefined && this.#model.isDisturbed(found, mutations)) || others.some((one) => wouldTouch(one, mutations)));
      if (isAllowedConflict) this.count.conflicts++;
      else if (answer.code !== wanted && !(found && answer.code === this.#model.outcome(found.state, mutations))) {
        throw new Difference(`commit failed with ${answer.code} ${answer.message}, want ${wanted ?? 'success'}`);
      }
      return;
    }
    if (wanted) throw new Difference(`commit succeeded, want ${wanted}`);
    for (const read of found && mutations.length > 0 ? found.reads : []) {
      const [then, now] = [read(before), read(this.#model.state)];
      if (then !== now) throw new Difference(`commit succeeded though what it read has changed.\n  then: ${then}\n  now:  ${now}`);
    }
    const { results, commitTimeMicros } = answer;
    if (results.length !== mutations.length) throw new Difference(`${mutations.length} mutations, ${results.length} results`);
    const keys = mutations.map(({ key }, at): Key => {
      const allocated = results[at]?.key;
      if (isIncomplete(key) !== (allocated !== undefined))
        throw new Difference('an id was allocated where none was wanted, or the other way');
      return allocated ? { ...key, path: decodeKey(allocated).path } : key;
    });
    if (keys.some((key, at) => isIncomplete(mutations[at]!.key) && this.#model.state.has(keyText(key))))
      throw new Difference('an allocated id was taken');
    const versions = results.map(({ version }) => version);
    const problem = this.#model.apply(mutations, keys, commitTimeMicros, versions);
    if (problem !== undefined) throw new Difference(problem);
    this.count.commits++;
  }

  async #lookup({ slot, keys }: OperationOf<'lookup'>): Promise<void> {
    const read = (state: State): string =>
      [...new Map(keys.map((key) => [keyText(key), key])).keys()]
        .map((name) => {
          const entity = state.get(name);
          return entity ? `${name} ${entity.version} ${propertiesText(entity.properties)}` : `${name} missing`;
        })
        .sort()
        .join('\n');
    await this.#read(slot, read, { keys: keys.map(keyText) }, async (options) => {
      const { found, missing, deferred } = await this.#datastore.lookup(APP, keys.map(encodeKey), options);
      if (deferred.length > 0) throw new Difference('a small lookup defers keys');
      return [
        ...found.map(({ entity, version }) => {
          const { key, properties } = decodeEntity(entity);
          return `${keyText(key)} ${version} ${propertiesText(properties)}`;
        }),
        ...missing.map((key) => `${keyText(decodeKey(key))} missing`),
      ]
        .sort()
        .join('\n');
    });
  }

  async #query({ slot, query, batch }: OperationOf<'query'>): Promise<void> {
    const meaning = meaningOf(query);
    if (typeof meaning === 'string') return this.#refused(() => this.#datastore.runQuery(APP, query), meaning);
    this.count.queries++;
    const read = (state: State): string => resultsText(meaning, windowOf(query, resultsOf(meaning, query, state)));
    await this.#read(slot, read, { kinds: [query.entityKind ?? ''] }, async (options) => {
      const state = this.#stateOf(slot);
      const answer = await this.#withIndexes(slot, query, meaning, () => this.#all(query, batch, options));
      if (!answer) return undefined;
      this.count.results += answer.results.length;
      const entries = windowOf(query, resultsOf(meaning, query, state));
      const difference = compareResults(meaning, entriesOf(meaning, query, state.values()), entries, answer.results);
      if (difference !== undefined) throw new Difference(difference);
      if (meaning.free.length === 0) this.#keepCursors(query, meaning, entries, answer);
      return isOpen(meaning, query) ? undefined : read(state);
    });
  }

  /** Goes on behind a result of long ago: what comes is what lies behind that place now. */
  async #continue({ slot, choice }: OperationOf<'continue'>): Promise<void> {
    const kept = this.#cursors[choice % Math.max(1, this.#cursors.length)];
    if (!kept) return;
    const { meaning, behind, cursor } = kept;
    // More than there can be.
    const query: Query = { ...kept.query, offset: 0, limit: 10_000, startCursor: cursor };
    const after = (state: State): readonly Entry[] => {
      const entries = placesOf(meaning, query, state).filter((entry) => compareEntries(meaning, entry, behind) > 0);
      const ofOtherGroups = entries.filter(
        (entry) => meaning.distinctOn.length === 0 || groupText(meaning, entry) !== groupText(meaning, behind),
      );
      return distinctEntries(meaning, ofOtherGroups);
    };
    const read = (state: State): string => resultsText(meaning, after(state));
    await this.#read(slot, read, { kinds: [query.entityKind ?? ''] }, async (options) => {
      const answer = await this.#withIndexes(slot, query, meaning, () => this.#all(query, 1_000, options));
      if (!answer) return undefined;
      const entries = after(this.#stateOf(slot));
      const difference = compareResults(meaning, entries, entries, answer.results);
      if (difference !== undefined) throw new Difference(`behind an old cursor: ${difference}`);
      return read(this.#stateOf(slot));
    });
  }

  async #aggregate({ slot, query, aggregations }: OperationOf<'aggregate'>): Promise<void> {
    const properties = aggregations.flatMap((one) => ('property' in one ? [one.property] : []));
    const meaning = meaningOf(query, properties);
    const call = { nested: query, aggregations };
    if (typeof meaning === 'string') return this.#refused(() => this.#datastore.runAggregation(APP, call), meaning);
    const read = (state: State): string | undefined =>
      aggregatesText(meaning, windowOf(query, entriesOf(meaning, query, state.values())), aggregations);
    await this.#read(
      slot,
      (state) => read(state) ?? '',
      { kinds: [query.entityKind ?? ''] },
      async (options) => {
        const state = this.#stateOf(slot);
        const answer = await this.#withIndexes(slot, query, meaning, () => this.#datastore.runAggregation(APP, call, options));
        if (!answer || isOpen(meaning, query)) return undefined;
        return read(state) === undefined ? '' : answer.values.map(({ alias, value }) => `${alias}=${valueText(value)}`).join(' ');
      },
    );
  }

  async #index({ definition }: OperationOf<'index'>): Promise<void> {
    if (this.#datastore.listIndexes(APP).length >= LIMITS.compositeIndexesMax - 20) return;
    await this.#datastore.ensureIndexes(APP, [definition]);
    await this.#settled(() => this.#datastore.indexesBuilt());
    this.count.indexes++;
    const state = this.#datastore.listIndexes(APP).find((one) => isDeepStrictEqual(one.definition, definition))?.state;
    if (state !== 'serving') throw new Difference(`a built index is ${state}`);
  }

  async #unindex({ choice }: OperationOf<'unindex'>): Promise<void> {
    const indexes = this.#datastore.listIndexes(APP).filter(({ state }) => state === 'serving');
    const index = indexes[choice % Math.max(1, indexes.length)];
    if (!index) return;
    await this.#datastore.deleteIndex(APP, index.id);
    // Half of the time what follows meets it while it is taken away.
    if (choice % 2 === 0) await this.#settled(() => this.#datastore.indexesBuilt());
  }

  async #readPast({ choice, read }: OperationOf<'past'>): Promise<void> {
    this.#past = this.#model.past(choice);
    try {
      if (this.#past) await this.do(read);
    } finally {
      this.#past = undefined;
    }
  }

  async #restart(): Promise<void> {
    await this.#datastore.close();
    this.#datastore = this.#newDatastore();
    for (const slot of [...this.#slots.keys()]) this.#end(slot);
    await this.#datastore.start();
    for (const id of this.#ended.values()) {
      this.#expectCode(
        await this.#settled(() => this.#datastore.rollback(APP, id)),
        ['DS_TX_INVALID'],
        'a transaction of before the restart',
      );
    }
    this.#ended.clear();
  }

  /**
   * Reads in a transaction or outside, and compares with what `expected` says of the state that it must see. No answer where there
   * is nothing to compare.
   */
  async #read(
    slot: number | undefined,
    expected: (state: State) => string,
    touches: { readonly keys?: readonly string[]; readonly kinds?: readonly string[] },
    actual: (options: ReadOptions) => Promise<string | undefined>,
  ): Promise<void> {
    const found = slot === undefined ? undefined : this.#slots.get(slot);
    if (slot !== undefined && !found) return;
    const isOver = found !== undefined && this.#isOver(found);
    if (found) found.usedMs = this.#time.monotonicMs();
    const options: ReadOptions = found ? { transaction: found.id } : this.#past ? { readTime: this.#past.version } : {};
    const answer = await this.#settled(() => actual(options));
    if (isOver) {
      this.#end(slot!);
      return this.#expectCode(answer, ['DS_TX_INVALID'], 'a read in a transaction that is over');
    }
    if (answer instanceof PlatformError) {
      // A read may lose against other transactions; the transaction is over then.
      if (answer.code === 'DS_TX_CONFLICT' && found && !found.readOnly) {
        this.#end(slot!);
        this.count.conflicts++;
        return;
      }
      throw new Difference(`a read failed with ${answer.code}: ${answer.message}`);
    }
    for (const key of touches.keys ?? []) found?.keys.add(key);
    for (const kind of touches.kinds ?? []) found?.kinds.add(kind);
    if (answer === undefined) return;
    const wanted = expected(this.#stateOf(slot));
    if (answer !== wanted) throw new Difference(`found:\n${answer}\nwant:\n${wanted}`);
    found?.reads.push(expected);
  }

  /** All results, batch after batch, as clients ask for them. */
  async #all(query: Query, batch: number, options: ReadOptions): Promise<QueryAnswer> {
    const results: QueryAnswer['results'][number][] = [];
    let skipped = 0;
    for (let next = query; ;) {
      const left = query.limit === undefined ? Infinity : query.limit - results.length;
      const limit = Math.min(batch, left);
      const answer = await this.#datastore.runQuery(APP, { ...next, limit }, options);
      if (answer.results.length > limit) throw new Difference('a batch has more results than its limit');
      if (answer.skipped > next.offset) throw new Difference('more was skipped than the offset');
      if (answer.results.length > 0 && answer.skipped < next.offset) throw new Difference('results came before the offset was used up');
      const isFull = answer.results.length === limit;
      if ((answer.more === 'after-limit') !== isFull && !(isFull && limit === 0)) {
        throw new Difference(`a batch of ${answer.results.length} with the limit ${limit} ends with ${answer.more}`);
      }
      results.push(...answer.results);
      skipped += answer.skipped;
      if (answer.more === 'no-more' || answer.more === 'after-cursor' || results.length === query.limit)
        return { ...answer, results, skipped };
      next = { ...next, offset: next.offset - answer.skipped, startCursor: answer.endCursor };
    }
  }

  /** Makes the indexes that the datastore asks for. Undefined where they cannot help a transaction that began before. */
  async #withIndexes<T>(slot: number | undefined, query: Query, meaning: Meaning, action: () => Promise<T>): Promise<T | undefined> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await action();
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        if (error.code !== 'DS_NEED_INDEX') throw error;
        if (needsNoIndex(meaning, query)) throw new Difference('an index is wanted for a query that built-in ones answer');
        if (attempt === INDEX_ATTEMPTS_MAX) throw new Difference(`the indexes that it asks for do not help: ${error.message}`);
        // No lines where the index is there and only too young.
        const lines = error.details.indexYaml;
        if (lines !== undefined) {
          await this.#datastore.ensureIndexes(APP, definitionsIn(String(lines)));
          this.count.indexes++;
        }
        await this.#datastore.indexesBuilt();
        // A transaction sees the indexes of its start, and so does a read of an earlier time.
        if (slot !== undefined || this.#past) return undefined;
      }
    }
  }

  async #refused(action: () => Promise<unknown>, code: string): Promise<void> {
    this.#expectCode(await this.#settled(action), [code], 'a query that means nothing');
  }

  #expectCode(answer: unknown, codes: readonly string[], what: string): void {
    if (answer instanceof PlatformError && codes.includes(answer.code)) return;
    throw new Difference(
      `${what} answers ${answer instanceof PlatformError ? `${answer.code} ${answer.message}` : 'without an error'}, want ${codes.join()}`,
    );
  }

  #keepCursors(query: Query, meaning: Meaning, entries: readonly Entry[], { results }: QueryAnswer): void {
    const at = Math.floor(entries.length / 2);
    const [behind, result] = [entries[at], results[at]];
    if (!behind || !result) return;
    this.#cursors = [...this.#cursors, { query, meaning, behind, cursor: result.cursor }].slice(-CURSORS_KEPT);
  }

  #stateOf(slot: number | undefined): State {
    return (slot === undefined ? this.#past?.state : this.#slots.get(slot)?.state) ?? this.#model.state;
  }

  #end(slot: number): void {
    const found = this.#slots.get(slot);
    this.#slots.delete(slot);
    if (found) this.#ended.set(slot, found.id);
  }

  #isOver({ usedMs, startedMs }: ModelTransaction): boolean {
    const nowMs = this.#time.monotonicMs();
    return nowMs - usedMs > LIMITS.transactionIdleMs || nowMs - startedMs > LIMITS.transactionLifeMs;
  }

  #toWire(mutation: ModelMutation, state: State): WireMutation {
    const stored = state.get(keyText(mutation.key))?.version ?? 0n;
    const base = mutation.base ? { baseVersion: mutation.base === 'stored' ? stored : stored + 1n } : {};
    if (mutation.op === 'delete') return { op: 'delete', key: encodeKey(mutation.key), ...base };
    return { op: mutation.op, entity: encodeEntity({ key: mutation.key, properties: mutation.properties }), ...base };
  }

  /** Between two steps of virtual time: what they set off needs some time of its own on a real disk. */
  #breath(): Promise<void> {
    return this.#patienceMs > 10 ? pause(5) : turns();
  }

  /** The answer, or the error of the datastore. Lets virtual time pass for a call that waits for it. */
  async #settled<T>(action: () => T | Promise<T>): Promise<T | PlatformError> {
    const call = (async () => action())();
    const answer = call.catch((error: unknown) => {
      if (error instanceof PlatformError) return error;
      throw error;
    });
    const done = answer.then(
      () => true,
      () => true,
    );
    for (let step = 0; step < VIRTUAL_STEPS_MAX; step++) {
      const isDone = await Promise.race([done, (step === 0 ? pause(this.#patienceMs) : this.#breath()).then(() => false)]);
      if (isDone) return answer;
      await this.#time.advanceAsync(VIRTUAL_STEP_MS);
    }
    throw new Difference('a call never ends');
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const turns = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** The results of the whole query, without its window. */
function resultsOf(meaning: Meaning, query: Query, state: State): readonly Entry[] {
  return distinctEntries(meaning, placesOf(meaning, query, state));
}

/** Where results can be: of an entity its first place, but of an index each entry. */
function placesOf(meaning: Meaning, query: Query, state: State): readonly Entry[] {
  const entries = entriesOf(meaning, query, state.values());
  return meaning.resultKind === 'projection' || meaning.distinctOn.length > 0 ? entries : firstPlaces(entries);
}

function distinctEntries(meaning: Meaning, entries: readonly Entry[]): readonly Entry[] {
  if (meaning.distinctOn.length === 0) return entries;
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const group = groupText(meaning, entry);
    return !seen.has(group) && seen.add(group);
  });
}

function groupText(meaning: Meaning, entry: Entry): string {
  return meaning.distinctOn.map((property) => columnText(meaning, entry, property)).join(' ');
}

function columnText(meaning: Meaning, { columns }: Entry, property: string): string {
  const value: Value | undefined = columns[columnsOf(meaning).findIndex((column) => column.property === property)];
  return value ? valueText(value) : '';
}

/** Which results a window keeps among those of equal order is not said. */
function isOpen({ free }: Meaning, { limit, offset }: Query): boolean {
  return free.length > 0 && (limit !== undefined || offset > 0);
}

function windowOf<T>({ offset, limit }: Query, all: readonly T[]): readonly T[] {
  return all.slice(offset, limit === undefined ? undefined : offset + limit);
}

function entryText(meaning: Meaning, entry: Entry): string {
  const { key, version, properties } = entry.entity;
  if (meaning.resultKind === 'full') return `${keyText(key)} ${version} ${propertiesText(properties)}`;
  if (meaning.resultKind === 'key-only') return keyText(key);
  return `${keyText(key)} ${meaning.projection.map((name) => `${name}=${columnText(meaning, entry, name)}`).join(' ')}`;
}

function resultText(meaning: Meaning, { entity, version }: QueryAnswer['results'][number]): string {
  const { key, properties } = decodeEntity(entity);
  if (meaning.resultKind === 'full') return `${keyText(key)} ${version} ${propertiesText(properties)}`;
  if (meaning.resultKind === 'key-only') return keyText(key);
  return `${keyText(key)} ${meaning.projection.map((name) => `${name}=${properties[name] ? valueText(properties[name]) : ''}`).join(' ')}`;
}

function resultsText(meaning: Meaning, entries: readonly Entry[]): string {
  return entries.map((entry) => entryText(meaning, entry)).join('\n');
}

/** What differs, in words. Where the order says nothing about two results, either may come first. */
function compareResults(
  meaning: Meaning,
  all: readonly Entry[],
  window: readonly Entry[],
  results: QueryAnswer['results'],
): string | undefined {
  const found = results.map((result) => resultText(meaning, result));
  const wanted = window.map((entry) => entryText(meaning, entry));
  const differ = (): string => `the query finds\n  ${found.join('\n  ')}\nwant\n  ${wanted.join('\n  ')}`;
  if (found.length !== wanted.length) return differ();
  if (meaning.free.length === 0) return found.every((one, at) => one === wanted[at]) ? undefined : differ();
  const candidates = candidatesOf(meaning, all);
  for (const [at, one] of found.entries()) {
    const place = placeText(meaning, one, window[at]!);
    const left = candidates.get(place) ?? 0;
    if (left === 0) return differ();
    candidates.set(place, left - 1);
  }
  // A whole entity does not say which of its values made it the first.
  if (meaning.distinctOn.length === 0 || meaning.resultKind !== 'projection') return undefined;
  const groups = new Set(
    results.map((result) => {
      const { properties } = decodeEntity(result.entity);
      return meaning.distinctOn.map((name) => (properties[name] ? valueText(properties[name]) : '')).join(' ');
    }),
  );
  return groups.size === found.length ? undefined : differ();
}

/** How often each result may come, at each place of the order that is said. */
function candidatesOf(meaning: Meaning, all: readonly Entry[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const entry of all) {
    const place = placeText(meaning, entryText(meaning, entry), entry);
    found.set(place, (found.get(place) ?? 0) + 1);
  }
  return found;
}

/** Of a group any one may come, so nothing is said about its place. */
function placeText(meaning: Meaning, text: string, entry: Entry): string {
  return meaning.distinctOn.length > 0 ? text : `${sortText(meaning, entry)} ${text}`;
}

/** Whether built-in indexes answer it, by the documentation's table. */
function needsNoIndex({ sort, free, keyDirection, branches }: Meaning, { entityKind }: Query): boolean {
  if (entityKind === undefined) return true;
  const columns = sort.length + free.length;
  const hasEqualities = branches.some(({ equalities }) => equalities.size > 0);
  const hasAncestor = branches.some(({ ancestors }) => ancestors.length > 0);
  if (columns === 0) return keyDirection === 'asc';
  return columns === 1 && !hasEqualities && !hasAncestor && keyDirection === 'asc';
}
