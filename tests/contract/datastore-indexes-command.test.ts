// `appengine datastore indexes …` against the real console routes, reader, wire service and index work.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { openDatastore, type OpenDatastore, key, write } from '../../datastore/fixture.ts';
import { IndexReader } from '../../runtime/control/index-reader.ts';
import { type IndexView } from '../../sdk/contract/admin/indexes.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { type CommandResult, type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

const SHOP = { appId: 'shop' };
const BOTH = `indexes:
- kind: Item
  properties:
  - name: colour
  - name: price
    direction: desc
- kind: Item
  ancestor: yes
  properties:
  - name: price
`;
const ONE = BOTH.slice(0, BOTH.indexOf('- kind: Item\n  ancestor'));

let open: OpenDatastore;
let directory: string;
let asked: string[];
let answer: string;
let appengine: ConsoleCommands;
let unattended: ConsoleCommands;

beforeEach(async () => {
  open = await openDatastore();
  directory = await mkdtemp(join(tmpdir(), 'indexes-'));
  await open.datastore.commit(
    SHOP,
    Array.from({ length: 300 }, (_, at) => write('insert', key('Item', BigInt(at + 1)), { colour: 'red', price: BigInt(at) })),
  );
  asked = [];
  answer = 'n';
  const indexes = new IndexReader(new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers));
  const askLine = (question: string): Promise<string> => {
    asked.push(question);
    return Promise.resolve(answer);
  };
  appengine = await startConsoleCommands({ indexes }, { askLine });
  unattended = await startConsoleCommands({ indexes });
});

afterEach(async () => {
  await appengine.close();
  await unattended.close();
  await open.datastore.close();
  await rm(directory, { recursive: true });
});

const run = (...words: string[]): Promise<CommandResult> => appengine.run('datastore', 'indexes', ...words, '--app', 'shop');
const declare = (text: string): Promise<void> => writeFile(join(directory, 'index.yaml'), text);
const listed = async (): Promise<readonly IndexView[]> =>
  (JSON.parse((await run('list', '--json')).out) as { indexes: IndexView[] }).indexes;

test('what index.yaml declares is made, and listed with its state and progress', async () => {
  expect((await run()).err).toContain('No composite indexes.');
  await declare(BOTH);
  const made = await run('create', directory, '--wait');
  expect(made.code).toBe(0);
  expect(made.err).toContain('2 indexes serve');
  const table = /^ID +KIND +ANCESTOR +PROPERTIES +STATE\n1 +Item +no +colour, price desc +serving\n2 +Item +yes +price +serving\n$/;
  expect(made.out).toMatch(table);
  expect((await run()).out).toMatch(table);
  expect((await run('list')).out).toMatch(table);
  expect(await listed()).toMatchObject([
    { id: 1, kind: 'Item', ancestor: false, state: 'serving', done: 300, estimate: 300 },
    { id: 2, kind: 'Item', ancestor: true, state: 'serving', done: 300, estimate: 300 },
  ]);
  expect((JSON.parse((await run('create', directory, '--json')).out) as { indexes: unknown[] }).indexes).toHaveLength(2);
});

test('an index that cannot be built says why, and is made anew once the entity is gone', async () => {
  const tags = Array.from({ length: 200 }, (_, at) => `t${at}`);
  await open.datastore.commit(SHOP, [write('insert', key('Item', 'many'), { colour: tags, price: tags })]);
  await declare(ONE);
  const failed = await run('create', directory, '--wait');
  expect(failed.code).toBe(1);
  expect(failed.err).toMatch(/Item\(colour, price desc\): Item:"many": .*at most 20000 index entries/);
  expect((await run('list')).out).toMatch(/ error\n1: Item:"many"/);
  await open.datastore.commit(SHOP, [write('update', key('Item', 'many'), { colour: 'red', price: 1n })]);
  expect((await run('create', directory, '--wait')).code).toBe(0);
  await open.datastore.indexesBuilt();
  expect(await listed()).toMatchObject([{ id: 2, state: 'serving', done: 301 }]);
});

test('cleanup deletes what index.yaml does not declare, when told to', async () => {
  await declare(BOTH);
  await run('create', directory, '--wait');
  await declare(ONE);
  const shown = await run('cleanup', directory, '--dry-run');
  expect(shown.out).toMatch(/^ID .*\n2 +Item +yes +price +serving\n$/);
  expect(shown.err).toContain('Nothing was deleted.');
  expect((await run('cleanup', directory)).err).toContain('Nothing was deleted.');
  expect(asked).toEqual(['Delete it? Queries that use it will fail. [y/N] ']);
  const refused = await unattended.run('datastore', 'indexes', 'cleanup', directory, '--app', 'shop');
  expect(refused.code).not.toBe(0);
  expect(refused.err).toContain('--yes');
  expect(await listed()).toHaveLength(2);

  answer = 'y';
  expect((await run('cleanup', directory)).out).toContain('Deleted 1 index');
  await open.datastore.indexesBuilt();
  expect(await listed()).toMatchObject([{ id: 1, state: 'serving' }]);
  await declare('indexes:\n');
  const gone = await unattended.run('datastore', 'indexes', 'cleanup', directory, '--app', 'shop', '--yes', '--json');
  expect(JSON.parse(gone.out)).toMatchObject({ deleted: true, indexes: [{ id: 1 }] });
  await open.datastore.indexesBuilt();
  expect(await listed()).toEqual([]);
  expect((await run('cleanup', directory)).err).toContain('has no index that is not in');
});

test('mistakes are told with their place', async () => {
  await declare('indexes:\n- kid: Item\n');
  expect((await run('create', directory)).err).toMatch(/index\.yaml.*line 2, column 3: unknown element "kid"/);
  expect((await run('create', join(directory, 'none'))).err).toMatch(/looked for .*none/);
  expect((await appengine.run('datastore', 'indexes')).err).toContain("required option '--app <id>'");
  expect((await appengine.run('datastore', 'indexes', 'create', '--help')).out).toContain('--wait');
});
