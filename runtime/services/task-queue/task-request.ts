// A task as the request that the app gets: pure. Headers: App Engine's (reference, section 2.3).
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type TaskCall } from './task-caller.ts';
import { CRON_QUEUE, type Task } from './task.ts';

const USER_AGENT = 'AppEngine-Google; (+http://code.google.com/appengine)';
const TASK_ADDRESS = '0.1.0.2';
const CRON_ADDRESS = '0.1.0.1';
const SECOND_MS = 1_000;

/** `domain` is what host names of apps end with. */
export function taskRequest(task: Task, domain: string): TaskCall {
  const isCron = task.queue === CRON_QUEUE;
  const headers: (readonly [string, string])[] = [
    ...task.headers,
    ['User-Agent', USER_AGENT],
    ['X-Appengine-User-IP', isCron ? CRON_ADDRESS : TASK_ADDRESS],
    ['X-Appengine-QueueName', task.queue],
    ['X-Appengine-TaskName', task.name],
    ['X-Appengine-TaskRetryCount', String(task.retries)],
    ['X-Appengine-TaskExecutionCount', String(task.executions)],
    ['X-Appengine-TaskETA', (task.etaMs / SECOND_MS).toFixed(6)],
  ];
  if (isCron) headers.push(['X-Appengine-Cron', 'true']);
  if (task.lastStatus !== undefined) headers.push(['X-Appengine-TaskPreviousResponse', String(task.lastStatus)]);
  if (task.lastReason !== undefined) headers.push(['X-Appengine-TaskRetryReason', task.lastReason]);
  return {
    host: hostOf(task, domain),
    method: task.method,
    url: task.url,
    headers,
    payload: task.payload,
    deadlineMs: Math.min(task.deadlineMs ?? LIMITS.requestDeadlineMs, LIMITS.requestDeadlineMs),
  };
}

function hostOf({ target, appId }: Task, domain: string): string {
  const app = `${appId}.${domain}`;
  return target === '' ? app : `${target.split('.').join('-dot-')}-dot-${app}`;
}
