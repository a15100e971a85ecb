// `appengine emulator datastore` with real processes: what it prints and keeps, commands against it, and how it all ends.
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Plain } from '../../datastore/api/v1/messages/v1-fixture.ts';
import { EmulatorProcess, runEmulator } from './emulator-process.ts';
import { command, isAlive, run, waitFor } from './platform-process.ts';

let folder: string;
let started: EmulatorProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'emulator-'));
  started = [];
});

afterEach(async () => {
  for (const emulator of started) if (isAlive(emulator.pid)) await emulator.stop('SIGKILL');
  await rm(folder, { recursive: true });
});

async function start(...words: readonly string[]): Promise<EmulatorProcess> {
  const emulator = await EmulatorProcess.start(words, { workingDirectory: folder });
  started.push(emulator);
  return emulator;
}

const keyOf = (name: string, kind = 'Task'): Plain => ({ path: [{ kind, name }] });
const put = (name: string, numbers: Readonly<Record<string, number>> = {}): Plain => ({
  mode: 'NON_TRANSACTIONAL',
  mutations: [
    { upsert: { key: keyOf(name), properties: Object.fromEntries(Object.entries(numbers).map(([key, n]) => [key, { integerValue: n }])) } },
  ],
});
const has = async (emulator: EmulatorProcess, name: string, project?: string): Promise<boolean> =>
  'found' in (await emulator.call('Lookup', { keys: [keyOf(name)] }, project));
/** Wants an index on `a` and `b` descending. */
const COMPOSITE: Plain = {
  query: {
    kind: [{ name: 'Task' }],
    order: [
      { property: { name: 'a' }, direction: 'ASCENDING' },
      { property: { name: 'b' }, direction: 'DESCENDING' },
    ],
  },
};
const INVALID_ARGUMENT = 3;
const FAILED_PRECONDITION = 9;

describe('appengine emulator datastore', () => {
  test('is ready for clients as its variables say, which a shell can read, and keeps nothing when it should not', async () => {
    const emulator = await start('--ephemeral', '--project', 'shop');
    const shell = await run('/bin/sh', [
      '-c',
      `${emulator.stdout}\necho "$DATASTORE_EMULATOR_HOST $GOOGLE_CLOUD_PROJECT $DATASTORE_DATASET"`,
    ]);
    expect(shell.stdout).toBe(`${emulator.variables['DATASTORE_EMULATOR_HOST']} shop shop\n`);
    expect(emulator.stdout + emulator.stderr).not.toContain('\u001b');
    expect(await (await fetch(emulator.variables['DATASTORE_HOST'] ?? '')).text()).toBe('Ok\n');
    await emulator.call('Commit', put('one'));
    expect(await has(emulator, 'one')).toBe(true);
    expect(await has(emulator, 'one', 'another-project')).toBe(false);
    expect(await emulator.stop()).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });

  test('keeps what was written over its end, a kill included, out of the way of git', async () => {
    const first = await start();
    await first.call('Commit', put('one'));
    expect(await first.stop('SIGTERM')).toBe(0);
    const second = await start();
    expect(await has(second, 'one')).toBe(true);
    await second.call('Commit', put('two'));
    await second.stop('SIGKILL');
    const third = await start();
    expect([await has(third, 'one'), await has(third, 'two')]).toEqual([true, true]);
    expect(await readFile(join(folder, '.appengine', '.gitignore'), 'utf8')).toBe('*\n');
    expect(third.stderr).toContain(join(folder, '.appengine', 'emulator'));
    // Nothing of a platform beside the data.
    expect((await readdir(join(folder, '.appengine', 'emulator'))).sort()).toEqual(['lock', 'store']);
  });

  test('lets no other one have its data directory, nor its port', async () => {
    const emulator = await start('--data-dir', 'data');
    const directory = await runEmulator(['--data-dir', 'data'], { workingDirectory: folder });
    expect(directory.code).toBe(1);
    expect(directory.stderr).toMatch(new RegExp(`held by process ${emulator.pid} .*DATA_DIR_HELD[\\s\\S]*--data-dir`));
    const platform = await run(process.execPath, [command, 'serve', '--data-dir', join(folder, 'data'), '--port', '0']);
    expect(platform.stderr).toContain('DATA_DIR_HELD');
    const port = emulator.variables['DATASTORE_EMULATOR_HOST']?.split(':').at(-1) ?? '';
    const busy = await runEmulator(['--ephemeral', '--port', port, '--exec', 'echo never'], { workingDirectory: folder });
    expect(busy).toMatchObject({ code: 1, stdout: '' });
    expect(busy.stderr).toMatch(/PORT_BUSY[\s\S]*--port/);
    await emulator.call('Commit', put('still there'));
  });

  test('is reset and shut down by a request, where that is allowed', async () => {
    const emulator = await start('--allow-reset', '--data-dir', 'data');
    await emulator.call('Commit', put('one', { a: 1, b: 2 }));
    await emulator.call('Commit', put('two'), 'another-project');
    const { transaction } = await emulator.call('BeginTransaction', {});
    expect((await emulator.post('/reset')).status).toBe(200);
    expect([await has(emulator, 'one'), await has(emulator, 'two', 'another-project')]).toEqual([false, false]);
    await expect(emulator.call('Rollback', { transaction })).rejects.toMatchObject({ code: INVALID_ARGUMENT });
    await emulator.call('Commit', put('three', { a: 1, b: 2 }));
    expect(await emulator.call('RunQuery', COMPOSITE)).toMatchObject({ batch: { entityResults: [{}] } });
    expect((await emulator.post('/shutdown')).status).toBe(200);
    expect(await emulator.exited).toBe(0);
    const again = await start('--data-dir', 'data');
    expect([await has(again, 'one'), await has(again, 'three')]).toEqual([false, true]);
    const refused = [await again.post('/reset'), await again.post('/shutdown')];
    expect(refused.map(({ status }) => status)).toEqual([403, 403]);
    expect(refused[0]?.text).toContain('--allow-reset');
    expect(await has(again, 'three')).toBe(true);
  });

  test('makes the indexes that queries need, and writes them down', async () => {
    const emulator = await start('--ephemeral', '--index-file', 'index.yaml');
    await emulator.call('Commit', put('one', { a: 1, b: 2 }));
    expect(await emulator.call('RunQuery', COMPOSITE)).toMatchObject({ batch: { entityResults: [{}] } });
    expect(await readFile(join(folder, 'index.yaml'), 'utf8')).toContain(
      '- kind: Task\n  properties:\n  - name: a\n  - name: b\n    direction: desc',
    );
  });

  test('refuses queries without an index when asked to, until the file declares it', async () => {
    await writeFile(join(folder, 'index.yaml'), 'indexes:\n\n# AUTOGENERATED\n');
    const emulator = await start('--ephemeral', '--require-indexes', '--index-file', 'index.yaml');
    await emulator.call('Commit', put('one', { a: 1, b: 2 }));
    const refusal = await emulator.call('RunQuery', COMPOSITE).catch((error: unknown) => error as { code: number; details: string });
    expect(refusal).toMatchObject({ code: FAILED_PRECONDITION });
    const lines = /- kind: Task[\s\S]*/.exec(String(refusal.details))?.[0] ?? '';
    expect(lines).toContain('  - name: b\n    direction: desc');
    await writeFile(join(folder, 'index.yaml'), `indexes:\n${lines}\n`);
    const answer = await waitFor('the index', () => emulator.call('RunQuery', COMPOSITE).catch(() => undefined));
    expect(answer).toMatchObject({ batch: { entityResults: [{}] } });
    await writeFile(join(folder, 'bad.yaml'), 'indexes: 7\n');
    const bad = await runEmulator(['--ephemeral', '--index-file', 'bad.yaml'], { workingDirectory: folder });
    expect(bad).toMatchObject({ code: 1, stdout: '' });
    expect(bad.stderr).toContain('MANIFEST_INVALID');
  });
});

describe('--exec', () => {
  const exec = (...words: readonly string[]): ReturnType<typeof runEmulator> =>
    runEmulator(['--ephemeral', ...words], { workingDirectory: folder, input: 'typed\n' });

  test('gives the command the streams and the variables, and ends with its code', async () => {
    const { code, stdout, stderr } = await exec('--project', 'shop', '--exec', 'cat; echo "$GOOGLE_CLOUD_PROJECT"; echo aside >&2; exit 5');
    expect({ code, stdout }).toEqual({ code: 5, stdout: 'typed\nshop\n' });
    expect(stderr).toContain('aside\n');
    expect(stderr).toContain('App Engine datastore emulator at 127.0.0.1:');
  });

  test('has the datastore answer when the command begins, and until its end', async () => {
    await writeFile(
      join(folder, 'ask.mjs'),
      `const ask = async () => (await fetch(process.env.DATASTORE_HOST)).text();\nprocess.stdout.write((await ask()) + (await ask()));\n`,
    );
    expect(await exec('--', process.execPath, 'ask.mjs')).toMatchObject({ code: 0, stdout: 'Ok\nOk\n' });
  });

  test('says how a command has ended, and why it could not begin', async () => {
    await writeFile(join(folder, 'text'), 'no program');
    await chmod(join(folder, 'text'), 0o644);
    const ends = await Promise.all([
      exec('--exec', 'there-is-no-such-command'),
      exec('--exec', 'kill -TERM $$'),
      exec('--', '/bin/sh', '-c', 'kill -KILL $$'),
      exec('--', 'there-is-no-such-program'),
      exec('--', './text'),
    ]);
    expect(ends.map(({ code }) => code)).toEqual([127, 143, 137, 127, 126]);
    expect(ends.map(({ stdout }) => stdout).join('')).toBe('');
    expect(ends[3].stderr).toMatch(/"there-is-no-such-program": there is no such program[\s\S]*COMMAND_NOT_STARTED/);
    expect(ends[4].stderr).toMatch(/".\/text": it may not be run[\s\S]*COMMAND_NOT_STARTED/);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('passes %s on, to what a shell has started too, and waits', async (signal) => {
    const script = `process.on('${signal}', async () => { process.stdout.write(await (await fetch(process.env.DATASTORE_HOST)).text()); process.exit(9); });\nprocess.stdout.write('up\\n');\nsetInterval(() => {}, 1000);\n`;
    await writeFile(join(folder, 'wait.mjs'), script);
    const child = spawn(
      process.execPath,
      [command, 'emulator', 'datastore', '--port', '0', '--ephemeral', '--exec', `"${process.execPath}" wait.mjs; exit $?`],
      {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const emulator = new EmulatorProcess(child);
    started.push(emulator);
    await emulator.printed(/^up$/m);
    emulator.signal(signal);
    // The shell dies of the signal too, or waits for its child and hands its code on; the datastore is there until both are gone.
    expect([9, 128 + (signal === 'SIGINT' ? 2 : 15)]).toContain(await emulator.exited);
    expect(emulator.stdout).toBe('up\nOk\n');
  });
});
