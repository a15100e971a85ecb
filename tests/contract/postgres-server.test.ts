// The fixture itself: what other suites rely on.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, it, vi } from 'vitest';
import { PostgresServer, postgresSkip } from './postgres-server.ts';

const skip = postgresSkip();

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(skip !== undefined)('the PostgreSQL server of the tests', () => {
  it('asks for its password, survives a kill with its data, and leaves nothing behind', async () => {
    const server = await PostgresServer.start();
    const [{ folder } = {}] = await server.query("SELECT current_setting('data_directory') AS folder");
    expect(existsSync(String(folder))).toBe(true);
    await expect(server.query('SELECT 1', server.url.replace(/:[0-9a-f]{32}@/, ':wrong@'))).rejects.toMatchObject({ code: '28P01' });
    await server.query('CREATE TABLE kept (id int)');
    await server.query('INSERT INTO kept VALUES (7)');
    await server.kill('SIGKILL');
    await expect(server.query('SELECT 1')).rejects.toThrow();
    await server.resume();
    expect(await server.query('SELECT id FROM kept')).toEqual([{ id: 7 }]);
    await server.stop();
    await server.stop();
    expect(existsSync(String(folder))).toBe(false);
  });

  it('ends when the process that started it is killed', async () => {
    const program = `
      import { PostgresServer } from ${JSON.stringify(new URL('postgres-server.ts', import.meta.url).href)};
      const server = await PostgresServer.start();
      const [{ pid, folder }] = await server.query(
        "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int AS pid, current_setting('data_directory') AS folder");
      console.log(JSON.stringify({ pid, folder }));`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said: unknown;
    for await (const line of createInterface({ input: child.stdout })) {
      said = JSON.parse(line);
      child.kill('SIGKILL');
    }
    const { pid, folder } = said as { readonly pid: number; readonly folder: string };
    await vi.waitFor(
      () => {
        expect({ isAlive: isAlive(pid), isThere: existsSync(folder) }).toEqual({ isAlive: false, isThere: false });
      },
      { timeout: 15_000, interval: 50 },
    );
  });
});
