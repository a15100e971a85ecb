// The preload in a real Node: lines of an app carry the request that they were printed for.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const PRELOAD = join(dirname(fileURLToPath(import.meta.url)), 'preload.cjs');
const APP = `
const { setTimeout: sleep } = require('node:timers/promises');
console.log('before');
require('node:http').createServer(async (request, response) => {
  if (request.url === '/end') { response.end(); setImmediate(() => process.exit()); return; }
  const name = request.url.slice(1);
  console.log(name + ' sync\\n  second line');
  if (name === 'first') process.stdout.write(name + ' in ');
  await sleep(name === 'slow' ? 60 : 5);
  console.log(name === 'first' ? 'pieces' : name + ' later');
  console.error(new Error(name));
  process.stdout.write(Buffer.from(name + ' bytes\\n'));
  response.end();
}).listen(process.env.PORT);
`;
const idOf = (digit: string): string => digit.repeat(32);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lines-'));
  await writeFile(join(directory, 'app.cjs'), APP);
});
afterAll(() => rm(directory, { recursive: true }));

/** What the app prints, as lines with the first digit of their request. */
async function printed(environment: Record<string, string>): Promise<{ readonly out: string[]; readonly err: string[] }> {
  const socket = join(directory, `${Object.keys(environment).length}.sock`);
  const child = spawn(process.execPath, ['--require', PRELOAD, 'app.cjs'], {
    cwd: directory,
    env: { PATH: process.env['PATH'], PORT: '8080', APPENGINE_LISTEN: socket, APPENGINE_LISTEN_PORT: '8080', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ask = (path: string, digit: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const headers = { 'x-appengine-request-log-id': idOf(digit) };
      const outgoing = request({ socketPath: socket, path, headers, agent: false }, (response) => response.resume().on('end', resolve));
      outgoing.on('error', reject).end();
    });
  await expect
    .poll(() =>
      ask('/first', 'a').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  await Promise.all([ask('/slow', 'b'), ask('/fast', 'c')]);
  await ask('/end', 'd');
  await once(child, 'close');
  const lines = (text: string): string[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/\u001e([0-9a-f])[0-9a-f]{31}\u001f/g, '[$1]'));
  return { out: lines(out), err: lines(err) };
}

/** How much arrives of `bytes` that an app prints before it exits at once. */
async function printedBeforeExit(bytes: number): Promise<number> {
  const script = `process.stdout.write('x'.repeat(${bytes})); process.exit()`;
  const child = spawn(process.execPath, ['--require', PRELOAD, '-e', script], {
    env: { PATH: process.env['PATH'], APPENGINE_LISTEN: join(directory, 'none.sock'), APPENGINE_LISTEN_PORT: '8080' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let length = 0;
  child.stdout.on('data', (chunk: Buffer) => (length += chunk.length));
  await once(child, 'close');
  return length;
}

describe('what an app prints', () => {
  it('waits for its reader rather than in memory, so that none is lost at the exit', async () => {
    expect(await printedBeforeExit(4_000_000)).toBe(4_000_000);
  });
});

describe('lines within a request', () => {
  it('are marked with it, each at its start alone, whatever goes on at the same time', async () => {
    const { out, err } = await printed({});
    expect(out[0]).toBe('before');
    expect(out).toEqual(expect.arrayContaining(['[a]first sync', '[a]  second line', '[a]first in pieces', 'first bytes']));
    expect(out).toEqual(expect.arrayContaining(['[b]slow sync', '[b]slow later', '[c]fast sync', '[c]fast later']));
    expect(out.filter((line) => line.lastIndexOf('[') > 0)).toEqual([]);
    const errors = err.filter((line) => line.includes('Error: '));
    expect(errors.sort()).toEqual(['[a]Error: first', '[b]Error: slow', '[c]Error: fast']);
    expect(err.filter((line) => !/^\[[abc]\]/.test(line))).toEqual([]);
  });

  it('are left as they are where the app says so', async () => {
    const { out, err } = await printed({ APPENGINE_REQUEST_LINES: '0' });
    expect([...out, ...err].filter((line) => line.startsWith('['))).toEqual([]);
    expect(out).toContain('first sync');
  });
});
