// Clients that write all the time, and the look at everything after a crash.
import { key, properties, query, remove, value, where, type Plain } from '../../datastore/fixture.ts';
import { decodeKey, encodeEntity } from '../../sdk/contract/entity-proto.ts';
import { isDeepStrictEqual } from 'node:util';
import { type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { type Properties, type Value } from '../../sdk/contract/entity.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { type SeededRandom } from '../../sdk/support/virtual-time.ts';
import { Calls, isConflict, isUnknown, nameOf } from './calls.ts';
import { accountKey, ACCOUNTS, BALANCE_AT_FIRST, boardKey, BOARDS, type Ledger, type Observed, type Sent, type Write } from './ledger.ts';

const CLIENTS = 16;
const ITEMS_PER_CLIENT = 12;
const NOTES_MAX = 60;
const TAGS = ['red', 'green', 'blue', 'wide', 'tall'];
const SHELF_ENTITIES = 600;

const column = (name: string, direction: 'asc' | 'desc' = 'asc') => ({ name, direction });

/** Beyond, each life takes one away. */
const INDEXES_MAX = 4;

const by = (property: string, direction: 'asc' | 'desc' = 'asc') => ({ property, direction });

/** Indexes that come to be while writes go on. The kind Shelf is large enough for several steps of a backfill. */
export const INDEXES: readonly IndexDefinition[] = [
  { kind: 'Item', ancestor: false, properties: [column('rank'), column('size', 'desc')] },
  { kind: 'Item', ancestor: true, properties: [column('size'), column('rank')] },
  { kind: 'Item', ancestor: false, properties: [column('tags'), column('rank', 'desc')] },
  { kind: 'Shelf', ancestor: false, properties: [column('rank', 'desc'), column('size')] },
  { kind: 'Shelf', ancestor: false, properties: [column('size'), column('rank')] },
  { kind: 'Item', ancestor: false, properties: [column('size', 'desc'), column('tags')] },
  { kind: 'Shelf', ancestor: true, properties: [column('rank')] },
];

export class CrashLoad {
  readonly #ledger: Ledger;
  readonly #random: SeededRandom;
  #calls: Calls[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #isStopping = false;
  #sequence = 0;
  conflicts = 0;
  compositeQueries = 0;
  transactions = 0;
  /** Faults that a client met while nothing was killed. */
  readonly problems: string[] = [];

  constructor(ledger: Ledger, random: SeededRandom) {
    this.#ledger = ledger;
    this.#random = random;
  }

  /** What the clients go on from: accounts, and a kind that is large. */
  async prepare(socket: string): Promise<void> {
    const calls = new Calls(socket);
    const upsert = (at: Key, plain: Readonly<Record<string, Plain>>): WireMutation => ({
      op: 'upsert',
      entity: encodeEntity({ key: at, properties: properties(plain) }),
    });
    await calls.commit(Array.from({ length: ACCOUNTS }, (_, account) => upsert(accountKey(account), { balance: BALANCE_AT_FIRST })));
    for (let from = 0; from < SHELF_ENTITIES; from += 300) {
      await calls.commit(
        Array.from({ length: 300 }, (_, at) => upsert(key('Shelf', `s${from + at}`), { rank: BigInt(at % 7), size: BigInt(from + at) })),
      );
    }
    const [kept] = INDEXES;
    await calls.ensureIndexes(kept ? [kept] : []);
    while (!(await calls.listIndexes()).every(({ state }) => state === 'serving')) await new Promise((resolve) => setTimeout(resolve, 5));
    calls.close();
  }

  /** Starts all clients on that process. */
  start(socket: string): void {
    this.#isStopping = false;
    this.#calls = Array.from({ length: 4 }, () => new Calls(socket));
    const loops = Array.from({ length: CLIENTS }, (_, client) => this.#loop(client, this.#calls[client % this.#calls.length]!));
    this.#running = Promise.all([...loops, this.#makeIndexes(this.#calls[0]!)]);
  }

  /** Resolves when every client has ended because its calls find no answer any more. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** Call it when the process is gone: what has no answer yet will have none. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const calls of this.#calls) calls.close();
    await this.#running;
  }

  async #loop(client: number, calls: Calls): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#step(client, calls);
      } catch (error) {
        if (isUnknown(error)) return;
        if (this.problems.length < 20) this.problems.push(`client ${client}: ${String(error)}`);
        return;
      }
    }
  }

  #step(client: number, calls: Calls): Promise<void> {
    const dice = this.#random.fraction();
    if (dice < 0.3) return this.#writeOne(client, calls);
    if (dice < 0.5) return this.#writeSeveral(client, calls);
    if (dice < 0.68) return this.#transfer(client, calls);
    if (dice < 0.75) return this.#countOwn(client, calls);
    if (dice < 0.82) return this.#post(calls);
    if (dice < 0.91) return this.#note(client, calls);
    if (dice < 0.95) return this.#allocate(calls);
    return this.#readBack(client, calls);
  }

  /** Sends a commit and writes down what became of it. */
  async #commit(calls: Calls, sent: Sent, mutations: readonly WireMutation[], transaction?: Uint8Array): Promise<void> {
    this.#ledger.send(sent);
    try {
      const { commitTimeMicros, results } = await calls.commit(mutations, transaction);
      const allocated = results.find((one) => one.key)?.key;
      const noteId = allocated && decodedId(allocated);
      if (noteId !== undefined) this.#ledger.gaveOut([noteId]);
      this.#ledger.succeeded(sent, commitTimeMicros, noteId);
    } catch (error) {
      if (!isUnknown(error)) this.#ledger.refused(sent);
      if (!isConflict(error)) throw error;
      this.conflicts++;
    }
  }

  #writeOne(client: number, calls: Calls): Promise<void> {
    const { write, mutation } = this.#change(client, this.#pick(ITEMS_PER_CLIENT));
    return this.#commit(calls, { writes: [write] }, [mutation]);
  }

  #writeSeveral(client: number, calls: Calls): Promise<void> {
    const items = [...new Set(Array.from({ length: 2 + this.#pick(5) }, () => this.#pick(ITEMS_PER_CLIENT)))];
    const changes = items.map((item) => this.#change(client, item));
    return this.#commit(
      calls,
      { writes: changes.map(({ write }) => write) },
      changes.map(({ mutation }) => mutation),
    );
  }

  /** Takes from one account and gives to another; the marker says whether it happened. */
  async #transfer(client: number, calls: Calls): Promise<void> {
    const from = this.#pick(ACCOUNTS);
    const to = (from + 1 + this.#pick(ACCOUNTS - 1)) % ACCOUNTS;
    const amount = BigInt(1 + this.#pick(9));
    this.transactions++;
    const transaction = await calls.begin();
    let balances: readonly (bigint | undefined)[];
    try {
      const found = await calls.lookup([accountKey(from), accountKey(to)], transaction);
      balances = found.map((one) => integerOf(one?.entity.properties.balance));
    } catch (error) {
      if (!isConflict(error)) throw error;
      this.conflicts++;
      return;
    }
    const [before, other] = balances;
    if (before === undefined || other === undefined) throw new Error('an account is not there');
    const marker: Write = { key: key('Client', `c${client}`), properties: properties({ transfer: BigInt(++this.#sequence) }) };
    await this.#commit(
      calls,
      { writes: [marker], transfer: { from, to, amount } },
      [upsertOf(marker), upsertAccount(from, before - amount), upsertAccount(to, other + amount)],
      transaction,
    );
  }

  /** A query in a transaction: nobody else writes below this client's root, so it must see exactly what is known. */
  async #countOwn(client: number, calls: Calls): Promise<void> {
    this.transactions++;
    const transaction = await calls.begin();
    const root = key('Client', `c${client}`);
    try {
      const found = await calls.query(
        query('Item', { filter: where('__key__', 'has-ancestor', root), projection: ['__key__'] }),
        transaction,
      );
      const want = this.#ledger.present('Item', `c${client}`).length;
      if (found.length !== want) this.problems.push(`client ${client} counts ${found.length} items in a transaction, wrote ${want}`);
      const marker: Write = { key: root, properties: properties({ count: BigInt(found.length), at: BigInt(++this.#sequence) }) };
      await this.#commit(calls, { writes: [marker] }, [upsertOf(marker)], transaction);
    } catch (error) {
      if (!isConflict(error)) throw error;
      this.conflicts++;
    }
  }

  #post(calls: Calls): Promise<void> {
    const post = { board: this.#pick(BOARDS), text: `post ${++this.#sequence}` };
    return this.#commit(calls, { writes: [], post }, [
      upsertOf({ key: boardKey(post.board), properties: properties({ text: post.text }) }),
    ]);
  }

  /** A new entity with an id of the datastore's choice, or the end of one. */
  #note(client: number, calls: Calls): Promise<void> {
    const own = [...this.#ledger.notes].filter(([, text]) => text.startsWith(`c${client}/`));
    const [oldest] = own;
    if (oldest && own.length >= NOTES_MAX / CLIENTS) {
      return this.#commit(calls, { writes: [], deletedNote: oldest[0] }, [remove(key('Note', oldest[0]))]);
    }
    const note = `c${client}/${++this.#sequence}`;
    return this.#commit(calls, { writes: [], note }, [upsertOf({ key: key('Note'), properties: properties({ text: note }) }, 'insert')]);
  }

  async #allocate(calls: Calls): Promise<void> {
    this.#ledger.gaveOut(await calls.allocateIds(key('Note'), 1 + this.#pick(200)));
  }

  async #readBack(client: number, calls: Calls): Promise<void> {
    const at = itemKey(client, this.#pick(ITEMS_PER_CLIENT));
    const [found] = await calls.lookup([at]);
    const version = this.#ledger.versionOf(at);
    if (found?.version !== version) this.problems.push(`${nameOf(at)} has version ${found?.version}, its writer was told ${version}`);
  }

  async #makeIndexes(calls: Calls): Promise<void> {
    try {
      const definition = INDEXES[this.#pick(INDEXES.length)]!;
      await calls.ensureIndexes([definition]);
      const indexes = (await calls.listIndexes()).filter(({ state }) => state !== 'deleting');
      const [kept] = INDEXES;
      const others = indexes.filter((index) => !isDeepStrictEqual(index.definition, kept));
      const surplus = others[this.#pick(others.length)];
      if (surplus && indexes.length > INDEXES_MAX) await calls.deleteIndex(surplus.id);
    } catch (error) {
      if (!isUnknown(error)) this.problems.push(`indexes: ${String(error)}`);
    }
  }

  /** Some change that fits what the item is now. */
  #change(client: number, item: number): { readonly write: Write; readonly mutation: WireMutation } {
    const at = itemKey(client, item);
    const isThere = this.#ledger.propertiesOf(at) !== undefined;
    const version = this.#ledger.versionOf(at);
    const dice = this.#random.fraction();
    if (isThere && dice < 0.2) return { write: { key: at }, mutation: remove(at) };
    const write: Write = { key: at, properties: this.#content() };
    if (!isThere) return { write, mutation: upsertOf(write, dice < 0.5 ? 'insert' : 'upsert') };
    if (version !== undefined && dice < 0.4) return { write, mutation: { ...upsertOf(write, 'update'), baseVersion: version } };
    return { write, mutation: upsertOf(write, dice < 0.7 ? 'update' : 'upsert') };
  }

  #content(): Properties {
    const text = 'x'.repeat(this.#pick(1_200));
    return {
      ...properties({
        at: BigInt(++this.#sequence),
        rank: BigInt(this.#pick(20)),
        size: BigInt(this.#pick(1_000)),
        tags: TAGS.filter(() => this.#random.fraction() < 0.4),
      }),
      text: { ...value(text), excludeFromIndexes: true },
    };
  }

  #pick(below: number): number {
    return Math.floor(this.#random.fraction() * below);
  }

  /** Reads everything, by keys and by queries, and compares with the ledger. */
  async verify(socket: string): Promise<void> {
    const calls = new Calls(socket);
    try {
      this.#ledger.compare(await this.#observe(calls));
      await this.#compareQueries(calls);
    } finally {
      calls.close();
    }
  }

  async #observe(calls: Calls): Promise<Observed> {
    const keys = [...new Map(this.#ledger.keys.map((one) => [nameOf(one), one])).values()];
    const [entities, accounts, boards, notes] = await Promise.all([
      calls.lookup(keys),
      calls.lookup(Array.from({ length: ACCOUNTS }, (_, at) => accountKey(at))),
      calls.lookup(Array.from({ length: BOARDS }, (_, at) => boardKey(at))),
      calls.query(query('Note')),
    ]);
    return {
      entities: new Map(keys.map((one, at) => [nameOf(one), entities[at]])),
      notes: new Map(notes.map(({ entity }) => [entity.key.path[0]?.id ?? 0n, textOf(entity.properties.text)])),
      balances: accounts.map((one) => integerOf(one?.entity.properties.balance) ?? -1n),
      boards: boards.map((one) => one && { text: textOf(one.entity.properties.text), version: one.version }),
    };
  }

  /** What indexes find must be what is there. */
  async #compareQueries(calls: Calls): Promise<void> {
    const items = this.#ledger.present('Item');
    const integer = (one: (typeof items)[number], name: string): number => Number(integerOf(one.properties[name]));
    const byKey = (left: (typeof items)[number], right: (typeof items)[number]): number =>
      Buffer.compare(Buffer.from(nameOf(left.key)), Buffer.from(nameOf(right.key)));
    const tag = TAGS[this.#pick(TAGS.length)]!;
    const hasTag = ({ properties: { tags } }: (typeof items)[number]): boolean =>
      tags?.kind === 'array' && tags.values.some((one) => one.kind === 'string' && one.value === tag);
    const same = (
      what: string,
      found: readonly { readonly entity: { readonly key: Key } }[],
      want: readonly { readonly key: Key }[],
    ): void => {
      const [have, wanted] = [found.map(({ entity }) => nameOf(entity.key)), want.map((one) => nameOf(one.key))];
      if (have.join() !== wanted.join()) {
        const missing = wanted.filter((one) => !have.includes(one));
        const surplus = have.filter((one) => !wanted.includes(one));
        this.problems.push(
          `the query ${what} finds ${have.length}, want ${wanted.length}; missing ${missing.join()}; too many ${surplus.join()}`,
        );
      }
    };
    const byRank = [...items].sort((left, right) => integer(left, 'rank') - integer(right, 'rank') || byKey(left, right));
    same('by rank', await calls.query(query('Item', { orders: [by('rank')] })), byRank);
    same(
      'by tag',
      await calls.query(query('Item', { filter: where('tags', '=', tag), projection: ['__key__'] })),
      items.filter(hasTag).sort(byKey),
    );
    const [rankSize] = INDEXES;
    const indexes = await calls.listIndexes();
    if (indexes.some(({ definition, state }) => state === 'serving' && isDeepStrictEqual(definition, rankSize))) {
      this.compositeQueries++;
      const sorted = [...items].sort(
        (left, right) =>
          integer(left, 'rank') - integer(right, 'rank') || integer(right, 'size') - integer(left, 'size') || byKey(left, right),
      );
      same('by rank and size', await calls.query(query('Item', { orders: [by('rank'), by('size', 'desc')] })), sorted);
    }
    const sum = await calls.aggregate(query('Account'), { kind: 'sum', property: 'balance' });
    if (integerOf(sum) !== BALANCE_AT_FIRST * BigInt(ACCOUNTS)) this.problems.push(`the accounts' sum is ${integerOf(sum)}`);
  }
}

const itemKey = (client: number, item: number): Key => key('Client', `c${client}`, 'Item', `i${String(item).padStart(2, '0')}`);

function upsertOf({ key: at, properties: content = {} }: Write, op: 'insert' | 'update' | 'upsert' = 'upsert') {
  return { op, entity: encodeEntity({ key: at, properties: content }) };
}

function upsertAccount(account: number, balance: bigint): WireMutation {
  return upsertOf({ key: accountKey(account), properties: properties({ balance }) });
}

function decodedId(bytes: Uint8Array): bigint | undefined {
  return decodeKey(bytes).path.at(-1)?.id;
}

function integerOf(one: Value | undefined): bigint | undefined {
  return one?.kind === 'integer' ? one.value : undefined;
}

function textOf(one: { readonly kind: string; readonly value?: unknown } | undefined): string {
  return typeof one?.value === 'string' ? one.value : '';
}
