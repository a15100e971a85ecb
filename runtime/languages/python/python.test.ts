import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAppManifest } from '../../../sdk/contract/app-manifest/app-yaml.ts';
import { findInterpreters, type Interpreter } from './interpreters.ts';
import { pythonLanguage } from './python.ts';

const python311: Interpreter = { runtime: 'python311', version: '3.11', path: '/usr/bin/python3.11', packagesStamp: '1' };
const usual = { ...python311, path: '/usr/bin/python3' };
const both = { usual, all: [{ ...python311, runtime: 'python39', version: '3.9', path: '/usr/local/bin/python3.9' }, python311] };

type Files = Readonly<Record<string, string>>;

function plan(files: Files, yaml = 'runtime: python3\n', found = both) {
  const source = { paths: new Set(Object.keys(files)), readText: (path: string) => Promise.resolve(files[path] ?? '') };
  return pythonLanguage(() => found).plan(parseAppManifest(yaml, 'app.yaml'), source, { nowMs: 0 });
}
const inside = '/srv/platform/python';
const commandOf = async (...args: Parameters<typeof plan>) => (await plan(...args)).command.slice(1).join(' ');

describe('how a Python app is started', () => {
  it.each<[string, Files, string, string]>([
    ['main.py', { 'main.py': '' }, '', `/usr/bin/python3 ${inside}/serve.py`],
    ['main.py with packages', { 'main.py': '', 'requirements.txt': 'flask' }, '', `.appengine-venv/bin/python ${inside}/serve.py`],
    [
      'gunicorn where the app asks for it',
      { 'main.py': '', 'requirements.txt': 'Flask\nGunicorn>=20' },
      '',
      `.appengine-venv/bin/python -m gunicorn --config ${inside}/gunicorn_settings.py main:app`,
    ],
    [
      'gunicorn with the worker of uvicorn where the app asks for both',
      { 'main.py': '', 'requirements.txt': 'fastapi\nuvicorn[standard]\ngunicorn' },
      '',
      `.appengine-venv/bin/python -m gunicorn --config ${inside}/gunicorn_settings.py --worker-class uvicorn.workers.UvicornWorker main:app`,
    ],
    ['the entrypoint before all', { 'main.py': '' }, 'entrypoint: gunicorn -b :$PORT main:app\n', 'sh -c exec gunicorn -b :$PORT main:app'],
    [
      "the entrypoint with the app's packages",
      { 'requirements.txt': 'flask' },
      'entrypoint: flask run -p $PORT\n',
      'sh -c export PATH="$PWD/.appengine-venv/bin:$PATH"; exec flask run -p $PORT',
    ],
  ])('%s', async (_name, files, more, command) => {
    expect(await commandOf(files, `runtime: python3\n${more}`)).toBe(command);
  });

  it('takes as many requests at a time as an instance gets', async () => {
    const environmentOf = async (yaml: string) => (await plan({ 'main.py': '' }, yaml)).environment['APPENGINE_CONCURRENCY'];
    expect(await environmentOf('runtime: python3\nautomatic_scaling:\n  max_concurrent_requests: 33\n')).toBe('33');
    expect(await environmentOf('runtime: python3\nmanual_scaling:\n  instances: 1\n')).toBe('10');
  });

  it('says what to add when there is nothing to start', async () => {
    await expect(plan({ 'app.py': '' })).rejects.toMatchObject({ code: 'MANIFEST_INVALID', message: expect.stringContaining('main.py') });
  });

  it('uses the minor version that is asked for, and says which there are when it is not', async () => {
    expect(await commandOf({ 'main.py': '' }, 'runtime: python39\n')).toBe(`/usr/local/bin/python3.9 ${inside}/serve.py`);
    await expect(plan({ 'main.py': '' }, 'runtime: python312\n')).rejects.toMatchObject({
      code: 'RUNTIME_UNKNOWN',
      message: expect.stringContaining('"python312" is not on this machine; there are python3 (3.11), python39, python311'),
    });
    await expect(plan({ 'main.py': '' }, undefined, { usual: undefined as never, all: [] })).rejects.toMatchObject({
      message: expect.stringContaining('apt-get install python3 python3-venv'),
    });
  });
});

describe('how a Python app is built', () => {
  it('compiles the code, after packages were installed', async () => {
    const { buildSteps, finishSteps = [], buildOutputs } = await plan({ 'main.py': '', 'requirements.txt': 'flask' });
    expect([...buildSteps, ...finishSteps].map(({ command }) => command.slice(1, 3).join(' '))).toEqual([
      `${inside}/make_environment.py .appengine-venv`,
      '-m pip',
      `${inside}/compile_code.py`,
    ]);
    expect(buildOutputs).toEqual(['.appengine-venv']);
    const plain = await plan({ 'main.py': '' });
    expect(plain.buildSteps).toEqual([]);
    expect(plain.finishSteps?.map(({ title }) => title)).toEqual(['Compiling']);
  });

  it('shares what pinned requirements make, by their text, the interpreter and the packages of the system', async () => {
    const keyOf = async (text: string, found = both, yaml?: string) =>
      (await plan({ 'main.py': '', 'requirements.txt': text }, yaml, found)).buildCacheKey;
    const key = await keyOf('a==1');
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(await keyOf('a==1')).toBe(key);
    const others = await Promise.all([
      keyOf('a==2'),
      keyOf('a==1', { ...both, usual: { ...usual, packagesStamp: '2' } }),
      keyOf('a==1', both, 'runtime: python39\n'),
    ]);
    expect(new Set([key, ...others]).size).toBe(4);
    expect(await keyOf('a')).toBeUndefined();
    expect(await keyOf('-r other.txt')).toBeUndefined();
  });
});

describe('the Pythons of a machine', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pythons-'));
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  it('are found by name, the first directory before the second', () => {
    for (const name of ['python3.11', 'python3.9', 'python3.11-config', 'python2.7']) writeFileSync(join(directory, name), '');
    symlinkSync('python3.11', join(directory, 'python3'));
    const { usual: found, all } = findInterpreters([join(directory, 'missing'), directory]);
    expect(found).toMatchObject({ runtime: 'python311', path: join(directory, 'python3') });
    expect(all.map(({ runtime, version }) => `${runtime} ${version}`)).toEqual(['python39 3.9', 'python311 3.11']);
  });
});
