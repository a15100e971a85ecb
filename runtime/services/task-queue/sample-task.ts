// A task for tests, complete and with every field easy to override.
import { type Task } from './task.ts';

export function sampleTask(name: string, changes: Partial<Task> = {}): Task {
  return {
    appId: 'shop',
    queue: 'default',
    name,
    isNamed: false,
    nonce: name,
    epoch: 0,
    createdAtMs: 0,
    etaMs: 0,
    url: '/work',
    method: 'POST',
    headers: [],
    payload: new Uint8Array(),
    target: '',
    retries: 0,
    executions: 0,
    ...changes,
  };
}
