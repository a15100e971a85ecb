import { expect, test } from 'vitest';
import { instanceEnvironment } from './instance-environment.ts';
import { type InstanceSpec } from './instance.ts';

const spec = (environment: InstanceSpec['environment']): InstanceSpec => ({
  ...{ appId: 'shop', service: 'default', version: 'v1', deploymentId: 'd1', codeDirectory: '/code', command: ['node', 'server.js'] },
  ...{ environment, memoryBytesMax: 384 * 2 ** 20, pidsMax: 64, tmpBytesMax: 2 ** 20, cpuWeight: 1, readyMsMax: 1_000 },
});

test("Google's Datastore clients find the project and the address of the app's own data", () => {
  expect(instanceEnvironment(spec({}), 'i1')).toMatchObject({
    GOOGLE_CLOUD_PROJECT: 'shop',
    DATASTORE_DATASET: 'shop',
    DATASTORE_PROJECT_ID: 'shop',
    DATASTORE_EMULATOR_HOST: '127.0.0.1:61081',
    DATASTORE_EMULATOR_HOST_PATH: '127.0.0.1:61081/datastore',
    DATASTORE_HOST: 'http://127.0.0.1:61081',
    METADATA_SERVER_DETECTION: 'none',
  });
});

test('what the platform sets cannot be set by an app, but for NODE_ENV and the search for a metadata server', () => {
  const { NODE_ENV, METADATA_SERVER_DETECTION, ...set } = instanceEnvironment(spec({}), 'i1');
  expect([NODE_ENV, METADATA_SERVER_DETECTION]).toEqual(['production', 'none']);
  const theirs = Object.fromEntries(Object.keys(set).map((name) => [name, 'theirs']));
  const own = { NODE_ENV: 'test', METADATA_SERVER_DETECTION: 'ping-only', OTHER: 'one' };
  expect(instanceEnvironment(spec({ ...theirs, ...own }), 'i1')).toEqual({ ...set, ...own });
});
