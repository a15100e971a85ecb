// `serve --datastore-auth` as a user has it: tokens made by the command line, Google's own client that sends one as the documentation says,
// and the datastore that checks them while the control role is away.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Datastore } from '@google-cloud/datastore';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PlatformProcess, waitFor } from './platform-process.ts';

interface Created {
  readonly id: string;
  readonly secret: string;
}
/** What the client's transformer of calls is given: gRPC's, as far as this needs it. */
interface Call {
  readonly metadata: { set(name: string, value: string): void };
}

const UNAUTHENTICATED = 16;
const PERMISSION_DENIED = 7;

let directory: string;
let platform: PlatformProcess;

beforeAll(async () => {
  process.env['METADATA_SERVER_DETECTION'] = 'none';
  directory = await mkdtemp(join(tmpdir(), 'datastore-auth-'));
  await writeFile(
    join(directory, 'app.yaml'),
    'runtime: nodejs\nhandlers:\n  - url: /\n    static_files: index.html\n    upload: index.html\n',
  );
  await writeFile(join(directory, 'index.html'), 'shop');
  await writeFile(join(directory, 'server.js'), "require('node:http').createServer((_, r) => r.end('shop')).listen(process.env.PORT);");
  platform = await PlatformProcess.start('--datastore-auth');
  await platform.appengineJson('deploy', directory, '--app', 'shop', '--quiet');
});

afterAll(async () => {
  await platform.remove();
  await rm(directory, { recursive: true, force: true });
});

/** docs/datastore-v1.md, "Who may reach it": the form for Node over gRPC in clear text. */
function connect(token: string | undefined, projectId = 'shop'): Datastore {
  const options = {
    projectId,
    apiEndpoint: platform.datastoreAddress,
    'grpc.callInvocationTransformer': (call: Call) => {
      if (token !== undefined) call.metadata.set('authorization', `Bearer ${token}`);
      return call;
    },
  };
  return new Datastore(options);
}

const create = (...flags: string[]): Promise<Created> =>
  platform.appengineJson<Created>('datastore', 'tokens', 'create', '--app', 'shop', ...flags);

async function textOf(client: Datastore, name: string): Promise<unknown> {
  const [entity] = (await client.get(client.key(['Note', name]))) as [{ readonly text?: unknown } | undefined];
  return entity?.text;
}

const save = (client: Datastore, name: string, text: string): Promise<unknown> =>
  client.save({ key: client.key(['Note', name]), data: { text } });

test('a client with a token reads and writes what the app has, and nobody else does', async () => {
  expect(platform.output).toContain(`clients of ${platform.datastoreAddress} need a token: appengine datastore tokens create --app ID`);
  const { secret } = await create('--name', 'ci');
  await save(connect(secret), 'a', 'hello');
  expect(await textOf(connect(secret), 'a')).toBe('hello');
  const seen = await platform.appengine('datastore', 'query', 'SELECT * FROM Note', '--app', 'shop');
  expect(seen.stdout).toContain('hello');
  for (const token of [undefined, 'owner', `aeds_${'0'.repeat(64)}`]) {
    await expect(textOf(connect(token), 'a')).rejects.toMatchObject({ code: UNAUTHENTICATED });
  }
  await expect(textOf(connect(secret, 'blog'), 'a')).rejects.toMatchObject({
    code: PERMISSION_DENIED,
    message: expect.stringContaining('bound to the project "shop"') as string,
  });
});

test('a token that only reads does not write', async () => {
  const reader = connect((await create('--read-only')).secret);
  expect(await textOf(reader, 'a')).toBe('hello');
  const transaction = reader.transaction({ readOnly: true });
  await transaction.run();
  const [entity] = (await transaction.get(reader.key(['Note', 'a']))) as [{ readonly text?: unknown }];
  await transaction.commit();
  expect(entity.text).toBe('hello');
  await expect(save(reader, 'a', 'mine now')).rejects.toMatchObject({ code: PERMISSION_DENIED });
  expect(await textOf(reader, 'a')).toBe('hello');
});

test('tokens are checked while the control role is away, and a deleted one is refused from then on', async () => {
  const { secret, id } = await create();
  const control = platform.rolePid('control') ?? 0;
  const before = platform.rolePid('datastore');
  process.kill(control, 'SIGSTOP');
  try {
    // One that starts anew knows no token yet, and nobody to ask.
    process.kill(before ?? 0, 'SIGKILL');
    await waitFor('another datastore role', () => ![undefined, before].includes(platform.rolePid('datastore')));
    const answered = await waitFor('an answer', () => textOf(connect(secret), 'a').catch(() => undefined));
    expect(answered).toBe('hello');
    await expect(textOf(connect('owner'), 'a')).rejects.toMatchObject({ code: UNAUTHENTICATED });
  } finally {
    process.kill(control, 'SIGCONT');
  }
  const kept = connect(secret);
  expect(await textOf(kept, 'a')).toBe('hello');
  const deleted = await platform.appengine('datastore', 'tokens', 'delete', id, '--app', 'shop');
  expect(deleted).toMatchObject({ code: 0 });
  await expect(textOf(kept, 'a')).rejects.toMatchObject({ code: UNAUTHENTICATED });
});

test('its calls count towards the quotas of the app', async () => {
  interface Quotas {
    readonly quotas: readonly { readonly resource: string; readonly used: number }[];
  }
  const used = async (): Promise<number> => {
    const { quotas } = await platform.appengineJson<Quotas>('quotas', '--app', 'shop');
    return quotas.find(({ resource }) => resource === 'datastoreCalls')?.used ?? 0;
  };
  const { secret } = await create();
  const before = await used();
  const client = connect(secret);
  for (let call = 0; call < 20; call++) await textOf(client, 'a');
  await waitFor('20 calls more', async () => (await used()) >= before + 20);
});
