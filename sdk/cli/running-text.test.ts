import { expect, it } from 'vitest';
import { type VersionView } from '../contract/admin/admin.ts';
import { type VersionRunningView } from '../contract/admin/versions.ts';
import { runningText } from './running-text.ts';

const version = (running?: VersionRunningView): VersionView => ({
  ...{ appId: 'hello', service: 'default', version: 'v1', url: 'http://v1/', runtime: 'nodejs', createdAtMs: 1, trafficShare: 1 },
  ...{ shardBy: 'ip', instances: 1 },
  ...(running ? { running } : {}),
});

it.each([
  [undefined, ''],
  [{ scaling: 'manual', isStopped: false }, 'ok'],
  [{ scaling: 'manual', isStopped: true }, 'stopped'],
  [
    {
      scaling: 'basic',
      isStopped: false,
      trouble: { kind: 'failing', failures: 3, reason: 'The app exited: code 1\nat x', nextTryMs: 3_200 },
    },
    'failed 3 times, next try in 4 s: The app exited: code 1',
  ],
  [{ scaling: 'automatic', isStopped: false, trouble: { kind: 'no-room', reason: 'it needs 384 MiB' } }, 'no room: it needs 384 MiB'],
] as const)('%j is "%s"', (running, text) => {
  expect(runningText(version(running))).toBe(text);
});
