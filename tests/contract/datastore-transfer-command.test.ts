// `appengine datastore export` and `import` against the real console routes, transfer, wire service and datastore.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { key, openDatastore, type OpenDatastore, properties, remove, write } from '../../datastore/fixture.ts';
import { DataTransfer } from '../../runtime/control/data-transfer.ts';
import { type EntityLine } from '../../sdk/contract/admin/transfer.ts';
import { decodeEntity, decodeKey, encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { InProcessRpc, type Rpc } from '../../sdk/contract/wire/client.ts';
import { type ExportManifest } from '../../sdk/cli/export-manifest.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

const SHOP = { appId: 'shop' };
const COUNT = 1_300;

let open: OpenDatastore;
let appengine: ConsoleCommands;
let folder: string;
/** Between the pages of an export. */
let onPage: () => Promise<void>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'datastore-transfer-'));
  open = await openDatastore();
  const inner = new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers);
  onPage = () => Promise.resolve();
  const rpc: Rpc = {
    call: async (service, method, payload, options) => {
      const answer = await inner.call(service, method, payload, options);
      if (method === 'exportPage') await onPage();
      return answer;
    },
  };
  appengine = await startConsoleCommands({ transfer: new DataTransfer(rpc, systemTimers) }, { apps: ['shop', 'copy', 'fresh'] });
});

afterEach(async () => {
  await appengine.close();
  await open.datastore.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (command: 'export' | 'import', directory: string, ...flags: string[]) =>
  appengine.run('datastore', command, directory, ...(flags.includes('--app') ? [] : ['--app', 'shop']), ...flags);

async function fill(count: number, from = 0): Promise<void> {
  for (let at = from; at < from + count; at += 500) {
    const items = Array.from({ length: Math.min(500, from + count - at) }, (_, n) =>
      write('upsert', key('Item', BigInt(at + n + 1)), { n: BigInt(at + n), text: 'x'.repeat(200) }),
    );
    await open.datastore.commit(SHOP, items);
  }
}

async function manifestOf(directory: string): Promise<ExportManifest> {
  return JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')) as ExportManifest;
}

async function linesOf(directory: string): Promise<readonly EntityLine[]> {
  const lines: EntityLine[] = [];
  for (const { name } of (await manifestOf(directory)).files) {
    const bytes = await readFile(join(directory, name));
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    expect(text.endsWith('\n')).toBe(true);
    lines.push(
      ...text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as EntityLine),
    );
  }
  return lines;
}

const names = (lines: readonly EntityLine[]): unknown[] =>
  lines.map(({ entity }) => entity.key.path.at(-1)?.id ?? entity.key.path.at(-1)?.name);

/** A directory as another program could write it. */
async function handMade(directory: string, lines: string | Buffer, more: object = {}): Promise<string> {
  const path = join(folder, directory);
  await rm(path, { recursive: true, force: true });
  await mkdir(path);
  const bytes = Buffer.from(lines);
  const file = {
    name: 'a.ndjson',
    entities: 1,
    bytes: bytes.length,
    lineBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
  await writeFile(join(path, 'a.ndjson'), bytes);
  await writeFile(
    join(path, 'manifest.json'),
    JSON.stringify({ format: 'appengine-datastore-export', formatVersion: 1, app: 'other', complete: true, files: [{ ...file, ...more }] }),
  );
  return path;
}

const line = (id: number | string, members = ''): string =>
  `{"entity":{"key":{"path":[{"kind":"K","id":"${id}"}]},"properties":{${members}}}}\n`;

describe('export', () => {
  test('writes every entity of the app and no other, with a manifest, and says so', async () => {
    await fill(COUNT);
    await open.datastore.commit({ appId: 'other' }, [write('insert', key('Item', 9n), {})]);
    const directory = join(folder, 'new', 'backup');
    const result = await run('export', directory);
    expect(result).toMatchObject({ code: 0, out: expect.stringMatching(/^1300 entities of shop in 1 file \(\d+ kB\) in /) as string });
    const manifest = await manifestOf(directory);
    expect(manifest).toMatchObject({
      format: 'appengine-datastore-export',
      formatVersion: 1,
      app: 'shop',
      complete: true,
      consistent: true,
      entities: COUNT,
    });
    const [file] = manifest.files;
    const bytes = await readFile(join(directory, 'entities-00001.ndjson'));
    expect(file).toMatchObject({
      name: 'entities-00001.ndjson',
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    const lines = await linesOf(directory);
    expect(names(lines)).toEqual(Array.from({ length: COUNT }, (_, n) => String(n + 1)));
    expect(lines[0]).toMatchObject({
      entity: { key: { partitionId: { projectId: 'shop' }, path: [{ kind: 'Item', id: '1' }] }, properties: { n: { integerValue: '0' } } },
      version: expect.stringMatching(/^\d+$/) as string,
      updateTime: expect.stringMatching(/^2023-11-14T22:13:20/) as string,
    });
    expect((await run('export', directory)).err).toContain('holds the whole export already');
    expect(JSON.parse((await run('export', directory, '--json')).out)).toMatchObject({ complete: true, entities: COUNT });
  });

  test('takes only what the filters want', async () => {
    await fill(3);
    const { datastore, time } = open;
    await datastore.commit(SHOP, [
      write('insert', key('Other', 'a', 'Item', 'child'), {}),
      write('insert', key('Other', 'a'), {}),
      write('insert', { ...key('Item', 'n'), namespace: 'ns' }, {}),
      write('insert', { ...key('Item', 'd'), databaseId: 'db' }, {}),
      write('insert', { ...key('Item', 'dn'), databaseId: 'db', namespace: 'ns' }, {}),
    ]);
    const wanted: [string[], unknown[]][] = [
      [
        ['--kind', 'Item'],
        ['1', '2', '3', 'child', 'n', 'd', 'dn'],
      ],
      [['--kind', 'Other', 'Nothing'], ['a']],
      [
        ['--namespace', 'ns'],
        ['n', 'dn'],
      ],
      [['--namespace', '', 'ns', '--kind', 'Other'], ['a']],
      [
        ['--database', ''],
        ['1', '2', '3', 'a', 'child', 'n'],
      ],
      [['--database', 'db', '--namespace', 'ns'], ['dn']],
      [['--kind', 'Nothing'], []],
    ];
    for (const [at, [flags, entities]] of wanted.entries()) {
      const directory = join(folder, String(at));
      expect((await run('export', directory, ...flags)).code).toBe(0);
      expect(names(await linesOf(directory))).toEqual(entities);
    }
    const since = new Date(time.nowMs() + 500).toISOString();
    time.advance(1_000);
    await datastore.commit(SHOP, [write('update', key('Item', 2n), {}), remove(key('Item', 3n)), write('insert', key('Item', 4n), {})]);
    expect((await run('export', join(folder, 'since'), '--since', since)).code).toBe(0);
    expect(names(await linesOf(join(folder, 'since')))).toEqual(['2', '4']);
    expect((await run('export', join(folder, 'bad'), '--since', 'yesterday')).err).toContain('--since is "yesterday"');
  });

  test('refuses a directory that holds something else, and leaves it as it is', async () => {
    await fill(1);
    await writeFile(join(folder, 'precious.txt'), 'x');
    expect((await run('export', folder)).err).toContain('is not empty and holds no export');
    expect(await readdir(folder)).toEqual(['precious.txt']);
    const directory = join(folder, 'one');
    await run('export', directory);
    expect((await run('export', directory, '--kind', 'K')).err).toContain('holds another export, of "shop"');
  });

  test('goes on behind the last whole file, and keeps the moment that it began with', async () => {
    await fill(COUNT);
    const directory = join(folder, 'cut');
    await run('export', directory, '--gzip');
    const whole = await manifestOf(directory);
    // As a run leaves it that was killed: one file of 700 done, another half written.
    const all = await linesOf(directory);
    const lines = gzipSync(
      all
        .slice(0, 700)
        .map((one) => `${JSON.stringify(one)}\n`)
        .join(''),
    );
    const first = {
      ...whole.files[0]!,
      ...{ entities: 700, bytes: lines.length, sha256: createHash('sha256').update(lines).digest('hex'), lastKey: all[699]!.entity.key },
    };
    await writeFile(join(directory, 'entities-00001.ndjson.gz'), lines);
    await writeFile(join(directory, 'entities-00002.ndjson.gz.new'), lines.subarray(0, 100));
    await writeFile(join(directory, 'manifest.json'), JSON.stringify({ ...whole, complete: false, entities: 700, files: [first] }));
    const result = await run('export', directory, '--gzip');
    expect(result).toMatchObject({ code: 0, err: expect.stringContaining('Going on behind 700 entities.') as string });
    expect(await manifestOf(directory)).toMatchObject({ complete: true, consistent: true, entities: COUNT });
    expect(await linesOf(directory)).toEqual(all);
    expect((await readdir(directory)).sort()).toEqual(['entities-00001.ndjson.gz', 'entities-00002.ndjson.gz', 'manifest.json']);
  });

  test('is of one moment, whatever is written meanwhile, and says where it is not', async () => {
    await fill(COUNT);
    const { datastore, time } = open;
    const directory = join(folder, 'busy');
    let changes = 0;
    const change = async (): Promise<void> => {
      const id = BigInt((changes * 37) % COUNT) + 1n;
      changes++;
      await datastore.commit(SHOP, [changes % 3 === 0 ? remove(key('Item', id)) : write('upsert', key('Item', id), { n: -1n })]);
      await datastore.commit(SHOP, [write('insert', key('Item', BigInt(COUNT + changes)), { n: -2n })]);
    };
    onPage = change;
    expect((await run('export', directory)).out).toMatch(/\nAll as they were at 2023-11-14T22:13:20/);
    expect(changes).toBeGreaterThan(1);
    expect((await linesOf(directory)).map(({ entity }) => entity.properties['n'])).toEqual(
      Array.from({ length: COUNT }, (_, n) => ({ integerValue: String(n) })),
    );
    expect(await manifestOf(directory)).toMatchObject({ consistent: true });

    // Two hours between its pages: what is left is of a later moment.
    let pages = 0;
    onPage = () => {
      if (++pages === 1) time.advance(2 * LIMITS.readTimeWindowMs);
      return Promise.resolve();
    };
    const late = await run('export', join(folder, 'late'));
    expect(late).toMatchObject({ code: 0, err: expect.stringContaining('What is left is of a later moment') as string });
    expect(late.out).toMatch(/\nAs they were at 2023-11-14T22:13:20.*, and from entities-00001.ndjson on at later moments\.\n/);
    expect(await manifestOf(join(folder, 'late'))).toMatchObject({ complete: true, consistent: false });
  });

  test('of an app without entities is whole, and imports', async () => {
    const directory = join(folder, 'empty');
    expect(await run('export', directory)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^0 entities of shop in 0 files/) as string,
    });
    expect(await run('import', directory)).toMatchObject({ code: 0, out: 'Imported 0 entities of shop into shop.\n' });
    expect((await run('export', join(folder, 'x'), '--app', 'nobody')).err).toContain('APP_NOT_FOUND');
  });
});

describe('import', () => {
  test('gives back what was exported, in the same app or in another one, whose keys they become', async () => {
    await fill(COUNT);
    const parent = { ...key('Item', 7n), projectId: 'shop' };
    const foreign = { ...key('Item', 7n), projectId: 'third' };
    const inner = { key: parent, properties: properties({ to: parent }) };
    await open.datastore.commit(SHOP, [
      {
        op: 'insert',
        entity: encodeEntity({
          key: key('Ref', 'r'),
          properties: { ...properties({ to: [parent, foreign] }), inner: { kind: 'entity', value: inner, excludeFromIndexes: true } },
        }),
      },
    ]);
    const directory = join(folder, 'backup');
    await run('export', directory);
    const before = await linesOf(directory);
    const all = [...Array.from({ length: COUNT }, (_, n) => key('Item', BigInt(n + 1))), key('Ref', 'r')];
    for (let at = 0; at < all.length; at += 500) await open.datastore.commit(SHOP, all.slice(at, at + 500).map(remove));
    const result = await run('import', directory);
    expect(result).toMatchObject({ code: 0, out: `Imported ${COUNT + 1} entities of shop into shop.\n` });
    await run('export', join(folder, 'again'));
    const entities = (lines: readonly EntityLine[]): unknown[] => lines.map(({ entity }) => entity);
    expect(entities(await linesOf(join(folder, 'again')))).toEqual(entities(before));
    expect((await readdir(directory)).sort()).toEqual(['entities-00001.ndjson', 'manifest.json']);

    expect((await run('import', directory, '--app', 'copy')).code).toBe(0);
    const { found } = await open.datastore.lookup({ appId: 'copy' }, [encodeKeyOf('Ref', 'r')]);
    const moved = decodeEntity(found[0]!.entity);
    const own = { ...parent, projectId: 'copy' };
    expect(moved.key.projectId).toBe('copy');
    expect(moved.properties).toMatchObject({
      to: { values: [{ value: own }, { value: foreign }] },
      inner: { value: { key: own, properties: { to: { value: own } } } },
    });
  });

  test('with insert refuses what is there; with upsert overwrites it', async () => {
    await fill(3);
    const directory = join(folder, 'backup');
    await run('export', directory);
    await open.datastore.commit(SHOP, [remove(key('Item', 1n)), write('update', key('Item', 2n), { n: 77n })]);
    const refused = await run('import', directory, '--mode', 'insert');
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('entities-00001.ndjson:2: entity already exists') as string });
    const skipped = await run('import', directory, '--mode', 'insert', '--skip-errors');
    expect(skipped.code).toBe(0);
    expect((await run('import', directory)).code).toBe(0);
    await run('export', join(folder, 'after'));
    expect((await linesOf(join(folder, 'after'))).map(({ entity }) => entity.properties['n'])).toEqual(
      [0, 1, 2].map((n) => ({ integerValue: String(n) })),
    );
    expect((await run('import', directory, '--mode', 'update')).err).toContain('--mode is "update"');
  });

  test('never lets an id that was imported be given out again', async () => {
    const { datastore } = open;
    const first = await datastore.allocateIds({ appId: 'other' }, [encodeKeyOf('K')]);
    const [taken] = first.keys.map((one) => idOf(one));
    const directory = await handMade('ids', line(String(taken)));
    expect((await run('import', directory)).code).toBe(0);
    const inserted = await datastore.commit(SHOP, [write('insert', key('K'), {})]);
    const allocated = await datastore.allocateIds(
      SHOP,
      Array.from({ length: 5 }, () => encodeKeyOf('K')),
    );
    const ids = [...inserted.results.map(({ key: made }) => made!), ...allocated.keys].map((one) => idOf(one));
    expect(ids).not.toContain(taken);
    // And the allocator of an app begins anew where no write is involved.
    await run('import', directory, '--app', 'fresh');
    const { keys } = await datastore.allocateIds({ appId: 'fresh' }, [encodeKeyOf('K')]);
    expect(keys.map((one) => idOf(one))).not.toContain(taken);
  });

  test('says file and line of what is wrong, and with --skip-errors keeps such lines and writes the others', async () => {
    const lines = [
      line(1),
      '{"entity":\n',
      '\n',
      line(2, '"n":{"integerValue":"many"}'),
      line(3, `"big":{"stringValue":"${'x'.repeat(1_100_000)}","excludeFromIndexes":true}`),
      '{"key":{"path":[]}}\n',
      '{"entity":{"key":{"path":[{"kind":"K"}]},"properties":{}}}\n',
      line(4).replace('{"path"', '{"partitionId":{"projectId":"third"},"path"'),
      line(5),
    ];
    const directory = await handMade('bad', lines.join(''));
    const stopped = await run('import', directory);
    expect(stopped).toMatchObject({
      code: 1,
      err: expect.stringContaining('a.ndjson:2: The datastore cannot accept this: it is not JSON (DS_INVALID)') as string,
    });
    const skipped = JSON.parse((await run('import', directory, '--skip-errors', '--json')).out) as {
      written: number;
      refused: number;
      rejects: string;
    };
    expect(skipped).toMatchObject({ written: 2, refused: 6 });
    const rejects = (await readFile(skipped.rejects, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { line: number; code: string; text: string });
    expect(rejects.sort((one, other) => one.line - other.line).map(({ line: at, code }) => [at, code])).toEqual([
      [2, 'DS_INVALID'],
      [4, 'DS_INVALID'],
      [5, 'DS_LIMIT'],
      [6, 'DS_INVALID'],
      [7, 'DS_INVALID'],
      [8, 'DS_FORBIDDEN'],
    ]);
    expect(rejects[0]?.text).toBe('{"entity":');
    await run('export', join(folder, 'after'));
    expect(names(await linesOf(join(folder, 'after')))).toEqual(['1', '5']);
  });

  test('refuses an export that is not as it was made', async () => {
    await fill(10);
    const directory = join(folder, 'backup');
    await run('export', directory);
    const path = join(directory, 'entities-00001.ndjson');
    const bytes = await readFile(path);
    bytes[50] = (bytes[50] ?? 0) ^ 1;
    await writeFile(path, bytes);
    expect((await run('import', directory)).err).toContain('entities-00001.ndjson has another SHA-256');
    await rm(path);
    expect((await run('import', directory)).err).toContain('entities-00001.ndjson cannot be read');
    expect((await run('import', folder)).err).toContain('has no manifest.json');
    const manifest = await manifestOf(directory);
    const changed: [object, string][] = [
      [{ formatVersion: 2 }, 'has format version 2'],
      [{ format: 'other' }, '"format"'],
      [{ complete: false }, 'is not a whole export'],
      [{ files: [{ ...manifest.files[0], entities: -1 }] }, '"files.0.entities"'],
    ];
    for (const [change, says] of changed) {
      await writeFile(join(directory, 'manifest.json'), JSON.stringify({ ...manifest, ...change }));
      expect(await run('import', directory)).toMatchObject({ code: 1, err: expect.stringContaining(says) as string });
    }
    await writeFile(join(directory, 'manifest.json'), '{');
    expect((await run('import', directory)).err).toContain('is not JSON');
  });

  test('a whole batch of lines goes on where the run before stopped', async () => {
    const lines = Array.from({ length: 1_200 }, (_, n) => (n === 1_100 ? 'broken\n' : line(n + 1)));
    const directory = await handMade('long', lines.join(''));
    expect((await run('import', directory, '--mode', 'insert')).err).toContain('a.ndjson:1101:');
    const position = JSON.parse(await readFile(join(directory, 'import-shop.progress.json'), 'utf8')) as object;
    expect(position).toMatchObject({ file: 'a.ndjson', line: 1_000 });
    const again = await run('import', directory, '--mode', 'insert', '--skip-errors');
    expect(again).toMatchObject({ code: 0, err: expect.stringContaining('Going on in a.ndjson behind line 1000.') as string });
    expect(again.out).toContain('Imported 99 entities');
    await run('export', join(folder, 'after'));
    expect((await linesOf(join(folder, 'after'))).length).toBe(1_199);
  });
});

const encodeKeyOf = (...parts: string[]): Buffer => encodeKey(key(...parts));
const idOf = (bytes: Uint8Array): bigint | undefined => decodeKey(bytes).path[0]?.id;
