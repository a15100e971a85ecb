// `appengine datastore ttl` against the real console routes, reader, wire service and settings.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { key, openDatastore, type OpenDatastore, write } from '../../datastore/fixture.ts';
import { TtlReader } from '../../runtime/control/ttl-reader.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

let open: OpenDatastore;
let appengine: ConsoleCommands;

beforeEach(async () => {
  open = await openDatastore();
  const rpc = new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers);
  appengine = await startConsoleCommands({ ttl: new TtlReader(rpc) });
});

afterEach(async () => {
  await appengine.close();
  await open.datastore.close();
});

const ttl = (...words: string[]) => appengine.run('datastore', 'ttl', ...words, '--app', 'shop');

test('a policy is set, listed, replaced and cleared', async () => {
  expect(await ttl('list')).toMatchObject({ code: 0, err: 'No TTL policies: nothing expires by itself.\n' });
  expect(await ttl('set', 'Session', 'expires')).toMatchObject({
    code: 0,
    out: 'Entities of Session are deleted once the time in expires has passed.\n',
    err: '',
  });
  // Names are any text.
  await ttl('set', 'a/b ?', 'x.y');
  await ttl('set', 'Session', 'until');
  expect((await ttl('list')).out).toMatch(/^KIND +PROPERTY\na\/b \? +x\.y\nSession +until\n$/);
  expect(JSON.parse((await ttl('list', '--json')).out)).toEqual({
    policies: [
      { kind: 'a/b ?', property: 'x.y' },
      { kind: 'Session', property: 'until' },
    ],
  });
  expect(open.datastore.settings.of('shop').ttl).toHaveLength(2);
  expect(await ttl('clear', 'Session')).toMatchObject({ code: 0, out: 'Entities of Session do not expire any more.\n' });
  expect(JSON.parse((await ttl('clear', 'a/b ?', '--json')).out)).toEqual({ cleared: 'a/b ?' });
  const again = await ttl('clear', 'Session');
  expect([again.code, again.err]).toEqual([1, expect.stringContaining('(NOT_FOUND)')]);
});

test('a property that is not indexed is told of', async () => {
  await open.datastore.commit({ appId: 'shop' }, [write('insert', key('Session', 'a'), { n: 1n })]);
  const result = await ttl('set', 'Session', 'expires');
  expect([result.code, result.err]).toEqual([
    0,
    'No Session has an indexed expires yet: an entity whose expires is missing or not indexed never expires.\n',
  ]);
  expect(JSON.parse((await ttl('set', 'Session', 'expires', '--json')).out)).toEqual({
    kind: 'Session',
    property: 'expires',
    isIndexed: false,
  });
});

test('names that cannot be, and apps that are not there, are refused', async () => {
  const reserved = await ttl('set', '__kind__', 'p');
  expect([reserved.code, reserved.err]).toEqual([1, expect.stringContaining('the kind of a TTL policy cannot be "__kind__"')]);
  const nobody = await appengine.run('datastore', 'ttl', 'list', '--app', 'nobody');
  expect([nobody.code, nobody.err]).toEqual([1, expect.stringContaining('(APP_NOT_FOUND)')]);
});
