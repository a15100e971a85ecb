// The storage contract on each adapter.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { storageContract } from './storage-contract.ts';

storageContract('memory', () => Promise.resolve({ store: new MemoryStore(), dispose: () => Promise.resolve() }));

storageContract('level', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'storage-'));
  return { store: new LevelStore(folder), dispose: () => rm(folder, { recursive: true, force: true }) };
});

describe('level store', () => {
  it('refuses a directory that another store holds', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'storage-'));
    const holder = new LevelStore(folder);
    await holder.start();
    await expect(new LevelStore(folder).start()).rejects.toMatchObject({ code: 'DATA_DIR_HELD' });
    await holder.close();
    await rm(folder, { recursive: true, force: true });
  });
});
