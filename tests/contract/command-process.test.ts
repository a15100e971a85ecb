// The command line as a process of its own, against an admin API that takes its time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ENTRY = new URL('../../sdk/cli/entry.ts', import.meta.url).href;
const PROGRAM = `
import { runInProcess } from ${JSON.stringify(ENTRY)};
process.exitCode = await runInProcess(process.argv.slice(1), 'test', () => Promise.resolve(0));
`;

it('waits for what takes a while instead of ending with nothing to do', async () => {
  let asked = 0;
  const index = { id: 1, kind: 'K', ancestor: false, properties: [{ name: 'a', direction: 'asc' }], done: 0, estimate: 1 };
  const server = createServer((request, response) => {
    request.resume();
    const state = request.method === 'GET' && ++asked > 2 ? 'serving' : 'building';
    response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify({ indexes: [{ ...index, state }] }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const directory = await mkdtemp(join(tmpdir(), 'command-'));
  try {
    await writeFile(join(directory, 'index.yaml'), 'indexes:\n- kind: K\n  properties:\n  - name: a\n  - name: b\n');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const words = ['datastore', 'indexes', 'create', directory, '--app', 'app', '--wait', '--server', url, '--token', 'x'];
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [said, complained] = [text(child.stdout), text(child.stderr)];
    const [code] = (await once(child, 'exit')) as [number | null];
    expect({ code, complained: await complained }).toMatchObject({ code: 0 });
    expect(await said).toContain('serving');
    expect(asked).toBeGreaterThan(2);
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
});
