// Import, export and check of a real platform: 20,000 entities through command lines with little memory, which are killed,
// beside a datastore that is killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { command, type CommandResult, PlatformProcess, root, run, waitFor } from './platform-process.ts';

const ENTITIES = 20_000;
const FILES = 4;
/** The lines are four times as many bytes; Node itself takes about 15 MB. */
const HEAP = '--max-old-space-size=32';

interface Manifest {
  readonly complete: boolean;
  readonly consistent: boolean;
  readonly entities: number;
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

let platform: PlatformProcess;
let folder: string;

const words = (...args: readonly string[]): string[] => [
  HEAP,
  command,
  'datastore',
  ...args,
  '--app',
  'data',
  '--server',
  platform.consoleUrl,
  '--data-dir',
  platform.dataDirectory,
];
const appengine = (...args: readonly string[]): Promise<CommandResult> => run(process.execPath, words(...args));
const start = (...args: readonly string[]): ChildProcess => spawn(process.execPath, words(...args), { cwd: root, stdio: 'ignore' });

/** Kills the command line once `happened`, unless it has ended before. */
async function killWhen(child: ChildProcess, what: string, happened: () => Promise<boolean>): Promise<boolean> {
  const ended = once(child, 'exit');
  await waitFor(what, async () => child.exitCode !== null || (await happened()), 60_000);
  const isKilled = child.kill('SIGKILL');
  await ended;
  return isKilled && child.signalCode === 'SIGKILL';
}

function killDatastore(): void {
  const pid = platform.rolePid('datastore');
  if (pid === undefined) throw new Error('no datastore process to kill');
  process.kill(pid, 'SIGKILL');
}

async function json<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

const nameOf = (at: number): string => `item-${String(at).padStart(6, '0')}`;
const lineOf = (at: number): string =>
  JSON.stringify({
    entity: {
      key: { partitionId: { projectId: 'data' }, path: [{ kind: 'Item', name: nameOf(at) }] },
      properties: {
        n: { integerValue: String(at) },
        text: { stringValue: `${at} `.repeat(300).slice(0, 1_500), excludeFromIndexes: true },
      },
    },
  });

async function writeExport(directory: string): Promise<void> {
  await mkdir(directory);
  const files: object[] = [];
  for (let file = 0; file < FILES; file++) {
    const count = ENTITIES / FILES;
    const bytes = Buffer.from(Array.from({ length: count }, (_, n) => `${lineOf(file * count + n)}\n`).join(''));
    const name = `part-${file}.ndjson`;
    await writeFile(join(directory, name), bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    files.push({ name, entities: count, bytes: bytes.length, lineBytes: bytes.length, sha256 });
  }
  const manifest = { format: 'appengine-datastore-export', formatVersion: 1, app: 'data', complete: true, entities: ENTITIES, files };
  await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'datastore-transfer-'));
  const app = join(folder, 'app');
  await mkdir(app);
  await writeFile(
    join(app, 'server.js'),
    "require('node:http').createServer((_, response) => response.end('x')).listen(process.env.PORT);\n",
  );
  await writeFile(join(app, 'app.yaml'), 'runtime: nodejs\nentrypoint: node server.js\n');
  platform = await PlatformProcess.start();
  await platform.appengineJson('deploy', app, '--app', 'data', '--no-promote');
  await writeExport(join(folder, 'in'));
});

afterAll(async () => {
  await platform.remove();
  await rm(folder, { recursive: true, force: true });
});

test('an import goes on where it was killed, and over the death of the datastore', async () => {
  const directory = join(folder, 'in');
  const position = (): Promise<{ file: string; line: number } | undefined> => json(join(directory, 'import-data.progress.json'));
  const killed = await killWhen(
    start('import', directory),
    'the import to have written lines',
    async () => ((await position())?.line ?? 0) > 0,
  );
  expect(killed).toBe(true);
  const before = await position();
  const [result] = await Promise.all([
    appengine('import', directory),
    waitFor('the import to go on', async () => JSON.stringify(await position()) !== JSON.stringify(before), 60_000).then(killDatastore),
  ]);
  expect(result).toMatchObject({ code: 0, stderr: expect.stringMatching(/Going on in part-\d\.ndjson behind line \d+\./) as string });
});

test('an export goes on where it was killed, and over the death of the datastore, and gives everything back', async () => {
  const directory = join(folder, 'out');
  const files = async (): Promise<number> => (await json<Manifest>(join(directory, 'manifest.json')))?.files.length ?? 0;
  expect(await killWhen(start('export', directory), 'a file of the export', async () => (await files()) > 0)).toBe(true);
  const before = await files();
  const [result] = await Promise.all([
    appengine('export', directory),
    waitFor('another file of the export', async () => (await files()) > before, 60_000).then(killDatastore),
  ]);
  expect(result).toMatchObject({ code: 0, stderr: expect.stringContaining('Going on behind') as string });
  const manifest = await json<Manifest>(join(directory, 'manifest.json'));
  expect(manifest).toMatchObject({ complete: true, entities: ENTITIES });
  let at = 0;
  for (const { name, sha256 } of manifest!.files) {
    const bytes = await readFile(join(directory, name));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    for (const line of bytes.toString('utf8').trimEnd().split('\n')) {
      const { entity } = JSON.parse(line) as { entity: unknown };
      if (JSON.stringify(entity) !== JSON.stringify((JSON.parse(lineOf(at)) as { entity: unknown }).entity)) expect(line).toBe(lineOf(at));
      at++;
    }
  }
  expect(at).toBe(ENTITIES);
});

test('afterwards the check finds no difference', async () => {
  const { code, stdout, stderr } = await appengine('check', '--json');
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toMatchObject({ families: { E: ENTITIES, K: ENTITIES, P: ENTITIES }, findings: 0 });
});
