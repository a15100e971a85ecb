import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { NodeRoleSpawner } from './role-spawner.ts';
import { Supervisor } from './supervisor.ts';

const directory = mkdtempSync(join(tmpdir(), 'ae-role-'));
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const trace = join(directory, 'trace');
const program = join(directory, 'role.mjs');
writeFileSync(
  program,
  `import { appendFileSync } from 'node:fs';
   import { startRoleProcess } from ${JSON.stringify(join(import.meta.dirname, 'role-process.ts'))};
   const role = startRoleProcess({ onStop: async () => { appendFileSync(${JSON.stringify(trace)}, 'stopped\\n') } });
   setInterval(() => {}, 1000);
   if (process.argv[2] === 'fail') role.fail(new Error('no'));
   else role.ready({ pid: process.pid });`,
);
const argv = [process.execPath, '--import', import.meta.resolve('tsx'), program];
const environment = { PATH: process.env.PATH ?? '' };
const pidOf = (payload: unknown) => (payload as { pid: number }).pid;

function build() {
  const ready: unknown[] = [];
  const supervisor = new Supervisor(new NodeRoleSpawner(), systemClock, systemTimers, new MemoryLog(), {
    onReady: (_, payload) => ready.push(payload),
  });
  return { supervisor, ready };
}

describe('a role process under its supervisor', () => {
  it('announces itself, comes back after kill -9, and ends in order', async () => {
    const { supervisor, ready } = build();
    const first = pidOf(await supervisor.start({ name: 'role', argv, environment }));
    process.kill(first, 'SIGKILL');
    await vi.waitFor(() => expect(ready.length).toBe(2), { timeout: 10_000 });
    expect(pidOf(ready[1])).not.toBe(first);
    await supervisor.close();
    expect(readFileSync(trace, 'utf8')).toBe('stopped\n');
    expect(supervisor.status()).toMatchObject([{ state: 'stopped', restarts: 1, lastExit: { code: 0 } }]);
  });

  it('reports a failure to start', async () => {
    const { supervisor } = build();
    const failed = supervisor.start({ name: 'role', argv: [...argv, 'fail'], environment });
    await expect(failed).rejects.toMatchObject({ code: 'INTERNAL' });
    await supervisor.close();
  });
});
