import { describe, expect, it } from 'vitest';
import { settingsKey } from '../codec/row-key.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { SettingsCatalog } from './settings-catalog.ts';

async function started(store: MemoryStore): Promise<SettingsCatalog> {
  const catalog = new SettingsCatalog(store);
  await catalog.start();
  return catalog;
}

describe('settings', () => {
  it('are the defaults until chosen, and are there again after a restart', async () => {
    const store = new MemoryStore();
    await store.start();
    const catalog = await started(store);
    expect(catalog.of('app')).toEqual({ concurrency: 'pessimistic', ttl: [] });
    await Promise.all([
      catalog.change('app', (settings) => ({ ...settings, concurrency: 'optimistic' })),
      catalog.change('app', (settings) => ({ ...settings, ttl: [{ kind: 'K', property: 'until' }] })),
    ]);
    const chosen = { concurrency: 'optimistic', ttl: [{ kind: 'K', property: 'until' }] };
    expect(catalog.of('app')).toEqual(chosen);
    expect((await started(store)).chosen()).toEqual(new Map([['app', chosen]]));
  });

  it('stay as they are when a change is refused', async () => {
    const store = new MemoryStore();
    await store.start();
    const catalog = await started(store);
    const refused = catalog.change('app', () => {
      throw new Error('refused');
    });
    await expect(refused).rejects.toThrow('refused');
    await catalog.change('other', (settings) => settings);
    expect(catalog.chosen().has('app')).toBe(false);
  });

  it.each([
    ['a changed byte', (row: Buffer) => Buffer.from([...row.subarray(0, -1), 0x7e])],
    ['a cut row', (row: Buffer) => row.subarray(0, 3)],
    ['another format', (row: Buffer) => Buffer.from([0x07, ...row.subarray(1)])],
  ])('are refused with %s', async (_, damage) => {
    const store = new MemoryStore();
    await store.start();
    await (await started(store)).change('app', (settings) => settings);
    const row = await store.get(settingsKey('app'));
    const transaction = store.begin();
    transaction.put(settingsKey('app'), damage(row!));
    await transaction.commit();
    await expect(started(store)).rejects.toEqual(expect.objectContaining({ code: 'DS_CORRUPT' }));
  });
});
