// Hostile exports: what somebody else made is imported (or refused) in bounded memory, and reaches nothing beside its directory.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { openDatastore, type OpenDatastore } from '../../datastore/fixture.ts';
import { DataTransfer } from '../../runtime/control/data-transfer.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { type ConsoleCommands, startConsoleCommands } from '../contract/console-commands.ts';

let open: OpenDatastore;
let appengine: ConsoleCommands;
let folder: string;
let made = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hostile-import-'));
  open = await openDatastore();
  const rpc = new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers);
  appengine = await startConsoleCommands({ transfer: new DataTransfer(rpc, systemTimers) });
});

afterAll(async () => {
  await appengine.close();
  await open.datastore.close();
  await rm(folder, { recursive: true, force: true });
});

async function directory(name: string, content: Buffer, more: object = {}): Promise<string> {
  const path = join(folder, String(made++));
  await mkdir(path);
  const file = {
    name,
    entities: 1,
    bytes: content.length,
    lineBytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  };
  if (/^a\.ndjson(\.gz)?$/.test(name)) await writeFile(join(path, name), content);
  const manifest = { format: 'appengine-datastore-export', formatVersion: 1, app: 'shop', complete: true, files: [{ ...file, ...more }] };
  await writeFile(join(path, 'manifest.json'), JSON.stringify(manifest));
  return path;
}

const importOf = (path: string, ...flags: string[]) => appengine.run('datastore', 'import', path, '--app', 'shop', ...flags);
const entity = (name: string): string => `{"entity":{"key":{"path":[{"kind":"K","name":"${name}"}]},"properties":{}}}\n`;

it.each([
  '../secret.ndjson',
  '/etc/passwd',
  '..',
  'a/b.ndjson',
  'a\\b.ndjson',
  '.ndjson',
  'a.ndjson\0',
  'manifest.json',
  `${'a'.repeat(200)}.ndjson`,
])('a file called %j is not read', async (name) => {
  await writeFile(join(folder, 'secret.ndjson'), entity('secret'));
  const content = Buffer.from(entity('secret'));
  expect(await importOf(await directory(name, content))).toMatchObject({
    code: 1,
    err: expect.stringContaining('"files.0.name"') as string,
  });
});

it('a line of 10 MB is refused by its number, and the lines around it are written', async () => {
  const long = `{"entity":{"key":{"path":[{"kind":"K","name":"long"}]},"properties":{"t":{"stringValue":"${'x'.repeat(10_000_000)}"}}}}\n`;
  const path = await directory('a.ndjson', Buffer.from(entity('first') + long + entity('last')));
  expect(await importOf(path)).toMatchObject({
    code: 1,
    err: expect.stringContaining('a.ndjson:2: A datastore limit is exceeded') as string,
  });
  const { out } = await importOf(path, '--skip-errors', '--json');
  expect(JSON.parse(out)).toMatchObject({ written: 2, refused: 1 });
});

it('lines that nest deep, repeat themselves or are no text are refused, not suffered', async () => {
  const lines = [
    '['.repeat(2_000_000),
    `{"entity":${'{"entity":'.repeat(100_000)}`,
    `{"entity":{"key":{"path":[${'{"kind":"K","name":"a"},'.repeat(50_000)}{"kind":"K","name":"a"}]},"properties":{}}}`,
    `{"entity":{"key":{"path":[{"kind":"K","name":"a"}]},"properties":{"a":${'{"entityValue":{"properties":{"a":'.repeat(500)}{"nullValue":null}${'}}}'.repeat(500)}}}}`,
    '\u0000\u0001\u0002',
    'null',
    '{"entity":null}',
    '{"entity":{"key":"k","properties":[]}}',
    '{"entity":{"key":{"path":[{"kind":"__Stat__","name":"a"}]},"properties":{}}}',
  ];
  const path = await directory('a.ndjson', Buffer.from(`${lines.join('\n')}\n${entity('good')}`));
  const { out } = await importOf(path, '--skip-errors', '--json');
  expect(JSON.parse(out)).toMatchObject({ written: 1, refused: lines.length });
});

it('a few bytes that unfold to gigabytes are left at what the manifest says', async () => {
  const bomb = gzipSync(Buffer.alloc(200_000_000));
  expect(bomb.length).toBeLessThan(1_000_000);
  const before = process.memoryUsage().rss;
  const path = await directory('a.ndjson.gz', bomb, { lineBytes: 1_000 });
  expect(await importOf(path)).toMatchObject({ code: 1, err: expect.stringContaining('unfolds to more than the 1000 bytes') as string });
  const honest = await directory('a.ndjson.gz', bomb, { lineBytes: 200_000_000 });
  expect(await importOf(honest)).toMatchObject({
    code: 1,
    err: expect.stringContaining('a.ndjson.gz:1: A datastore limit is exceeded') as string,
  });
  expect(process.memoryUsage().rss - before).toBeLessThan(400_000_000);
  const broken = await directory('a.ndjson.gz', Buffer.from('no gzip'));
  expect((await importOf(broken)).err).toContain('cannot be unfolded');
});
