import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock, systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { LocalRoleLinks, type RoleLinks, SocketRoleLinks } from './role-links.ts';

const adapters: [string, (directory: string) => RoleLinks][] = [
  ['unix sockets', (directory) => new SocketRoleLinks(directory, systemClock, systemTimers, new MemoryLog())],
  ['direct calls', () => new LocalRoleLinks(systemClock, systemTimers)],
];

describe.each(adapters)('roles linked by %s', (_name, build) => {
  test('a call made before the role is there waits for it, and for the next one after it was taken back', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'links-'));
    const links = build(directory);
    try {
      const rpc = links.connect('control');
      const early = rpc.call('greet', 'hello', 'a', { idempotent: true });
      const takeBack = await links.offer('control', [{ name: 'greet', methods: { hello: (payload) => `first ${String(payload)}` } }]);
      expect(await early).toBe('first a');
      await takeBack();
      const between = rpc.call('greet', 'hello', 'b', { idempotent: true });
      await links.offer('control', [{ name: 'greet', methods: { hello: (payload) => `second ${String(payload)}` } }]);
      expect(await between).toBe('second b');
      await expect(rpc.call('greet', 'missing', null)).rejects.toMatchObject({ code: 'RPC_UNKNOWN_METHOD' });
    } finally {
      links.close();
      await rm(directory, { recursive: true });
    }
  });

  test('a role that never comes is an error within the deadline', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'links-'));
    const links = build(directory);
    await expect(links.connect('router').call('greet', 'hello', null, { deadlineMs: 30 })).rejects.toMatchObject({
      code: 'RPC_UNAVAILABLE',
    });
    links.close();
    await rm(directory, { recursive: true });
  });
});
