// `appengine datastore tablets` through the console, the control role's reader and the wire, over a real datastore.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { type Datastore } from '../../datastore/datastore.ts';
import { key, openDatastore, write } from '../../datastore/fixture.ts';
import { entityRowKey, partitionOf, pathBytes } from '../../datastore/codec/row-key.ts';
import { TabletReader } from '../../runtime/control/tablet-reader.ts';
import { type TabletsView } from '../../sdk/contract/admin/tablets.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

let datastore: Datastore;
let time: VirtualTime;
let reader: TabletReader;
let commands: ConsoleCommands;

beforeAll(async () => {
  ({ datastore, time } = await openDatastore());
  for (const appId of ['shop', 'zoo']) {
    for (let at = 0; at < 10; at++) await datastore.commit({ appId }, [write('upsert', key('K', `n${at}`), { secret: 'tell nobody' })]);
  }
  const row = (appId: string, name: string): Buffer => entityRowKey(partitionOf(appId, '', ''), pathBytes(key('K', name).path));
  await datastore.tabletServer.cutAt(row('shop', 'n5'));
  await datastore.tabletServer.cutAt(row('zoo', 'n5'));
  time.advance(60_000);
  reader = new TabletReader(new InProcessRpc([datastoreAdminService(datastore)], time));
  commands = await startConsoleCommands({ tablets: reader });
});
afterAll(async () => {
  await commands.close();
  await datastore.close();
});

describe('appengine datastore tablets', () => {
  it('prints where each tablet starts, what it holds and how busy it is', async () => {
    const { code, out, err } = await commands.run('datastore', 'tablets');
    expect(code).toBe(0);
    expect(out).toMatch(/^ID +FROM +ROWS +SIZE +READS\/MIN +WRITES\/MIN\n/);
    expect(out).toMatch(/\n1 +the beginning +5 /);
    expect(out).toMatch(/\n2 +shop K:"n5" +10 /);
    expect(out).toMatch(/\n3 +zoo K:"n5" +45 +\d.* kB +0 \(0\) +0 \(\d+\)/);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(err).toContain('3 tablets; each ends where the next one starts');
    expect(out).not.toContain('tell nobody');
  });

  it('with --app only those that hold keys of the app, with --json their bytes too', async () => {
    const { out } = await commands.run('datastore', 'tablets', '--app', 'shop', '--json');
    const { tablets } = JSON.parse(out) as TabletsView;
    // Kind and property rows of every app lie behind all entities, composite ones before them.
    expect(tablets.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(tablets[1]?.start.hex).toBe(datastore.tabletServer.list()[1]?.start.toString('hex'));
    expect(tablets[1]?.end).toEqual(tablets[2]?.start);
    expect((await commands.run('datastore', 'tablets', '--app', 'missing')).code).toBe(1);
    await datastore.tabletServer.cutAt(Buffer.from('Ezoo'));
    await datastore.tabletServer.cutAt(Buffer.from('F'));
    expect((await reader.tablets({ app: 'shop' })).tablets.map(({ id }) => id)).toEqual([1, 2, 5]);
    expect((await reader.tablets({ app: 'zoo' })).tablets.map(({ id }) => id)).toEqual([1, 4, 3, 5]);
  });

  it('pages, and shows a day in steps that add up to every write', async () => {
    const first = await reader.tablets({ limit: 2 });
    expect([first.tablets.length, first.next]).toEqual([2, 2]);
    const rest = await reader.tablets({ from: 2 });
    expect([first.tablets.length + rest.tablets.length, rest.next]).toEqual([datastore.tabletServer.list().length, undefined]);
    const { tablets, history } = await reader.tablets({ history: 15 });
    expect(history).toEqual({ stepMinutes: 15, fromMs: (Math.floor(time.nowMs() / 900_000) - 95) * 900_000 });
    expect(tablets.map(({ history: series }) => series?.writes.length)).toEqual(tablets.map(() => 96));
    expect(tablets.flatMap(({ history: series }) => series?.writes ?? []).reduce((sum, count) => sum + count)).toBe(2 * 10 * 3);
    const perMinute = await reader.tablets({ history: 1 });
    expect(perMinute.tablets.length * LIMITS.tabletHistoryMinutes).toBeLessThanOrEqual(LIMITS.tabletHistoryCellsMax);
    await expect(reader.tablets({ history: 7 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
