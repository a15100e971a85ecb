// `appengine datastore check` against the real console routes, reader, wire service and checker.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { openDatastore, type OpenDatastore, key, write } from '../../datastore/fixture.ts';
import { prefixRange } from '../../datastore/storage/key-bytes.ts';
import { IntegrityReader } from '../../runtime/control/integrity-reader.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

const SHOP = { appId: 'shop' };
const COUNT = 1_200;

let open: OpenDatastore;
let appengine: ConsoleCommands;

beforeEach(async () => {
  open = await openDatastore();
  for (let at = 0; at < COUNT; at += 400) {
    const items = Array.from({ length: 400 }, (_, n) => write('insert', key('Item', BigInt(at + n + 1)), { n: BigInt(n) }));
    await open.datastore.commit(SHOP, items);
  }
  const rpc = new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers);
  appengine = await startConsoleCommands({ integrity: new IntegrityReader(rpc, systemClock, systemTimers) });
});

afterEach(async () => {
  await appengine.close();
  await open.datastore.close();
});

const check = (...flags: string[]) => appengine.run('datastore', 'check', ...flags);

/** Takes the kind rows of the first entities away. */
async function damage(rowsMax: number): Promise<void> {
  const scan = open.store.scan(prefixRange(Buffer.from('K')), { limit: rowsMax });
  const transaction = open.store.begin();
  for (let rows = await scan.next(1_000); rows.length > 0; rows = await scan.next(1_000)) {
    for (const row of rows) transaction.delete(row.key);
  }
  await scan.close();
  await transaction.commit();
}

test('what fits together is counted, in several steps', async () => {
  const result = await check('--app', 'shop');
  expect(result.code).toBe(0);
  expect(result.out).toMatch(/^FAMILY +ROWS +WHAT\nE +1200 +entities\nK +1200 +kind rows\nM +1 +tablets\nP +1200 +property index rows\n/);
  expect(result.out).toContain('No difference: everything of shop fits together.\n');
  expect(result.err).toMatch(/Checked +0 files, 36\d\d rows, \d+ kB/);
  expect(JSON.parse((await check('--json')).out)).toMatchObject({ families: { E: COUNT, P: COUNT }, findings: 0, listed: [] });
});

test('what does not is named, ends with 1, and is mended when asked to', async () => {
  await damage(2);
  const found = await check('--app', 'shop');
  expect(found.code).toBe(1);
  expect(found.out).toMatch(
    /\nindex-missing +E shop Item:1\n {2}1 of its 2 index rows is missing or wrong, first: shop kind Item of Item:1\n {2}key 45[0-9a-f]+\n/,
  );
  expect(found.err).toContain('(DS_DAMAGED)');
  const json = await check('--json');
  expect([json.code, JSON.parse(json.out)]).toMatchObject([1, { findings: 2, listed: [{ row: 'shop Item:1' }, { row: 'shop Item:2' }] }]);
  const mended = await check('--app', 'shop', '--repair');
  expect([mended.code, mended.out]).toEqual([0, expect.stringContaining('repaired: wrote 1 index row from the entity\n')]);
  expect(mended.out).toContain('Repaired 2 of 2 findings.\n');
  expect((await check('--app', 'shop')).code).toBe(0);
});

test('of very many findings the first are named and the others counted', async () => {
  await damage(COUNT);
  const { listed, findings } = JSON.parse((await check('--json')).out) as { listed: unknown[]; findings: number };
  expect([listed.length, findings]).toEqual([LIMITS.integrityFindingsMax, COUNT]);
  expect((await check()).out).toMatch(/\nand 200 more findings\n$/);
});

test('a datastore that fails under way is said, not taken for a sound one', async () => {
  await open.datastore.close();
  const { code, err } = await check('--app', 'shop');
  expect([code, err]).toEqual([1, expect.stringContaining('(DS_CLOSED)')]);
  await open.datastore.start();
});
