// The task queue service: what an instance may ask of its app's push queues. Everything in a payload is checked here.
import { z } from 'zod';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { DEFAULT_RETRY, type RetryParameters } from '../../../sdk/contract/queue-definition.ts';
import {
  type AddTasksResponse,
  type DeleteTasksResponse,
  type PurgeQueueResponse,
  type QueueStatsResponse,
  TASK_METHODS,
  TASK_QUEUE_SERVICE,
  type TaskRetryOptions,
} from '../../../sdk/contract/services/task-queue.ts';
import { method } from '../../../sdk/contract/wire/service.ts';
import { type Clock } from '../../../sdk/support/clock.ts';
import { type ApiCaller, type ApiService } from '../../api/service-table.ts';
import { type NewTask, type TaskQueues } from './task-queues.ts';
import { taskBytes } from './task.ts';

const DEADLINE_MS = 15_000;
const MEGACYCLES_PER_CALL = 12;
const SECOND_MS = 1_000;

const QUEUE_NAME = /^[A-Za-z0-9-]{1,100}$/;
const TASK_NAME = /^[A-Za-z0-9_-]{1,500}$/;
const TARGET = /^(?=.{1,127}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)?$/;
/** What a request line can hold: printable ASCII without space, and no fragment. */
const URL_PATH = /^\/[!-"$-~]*$/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/;
const HEADER_VALUE = /^[\t -~\u0080-\u00ff]*$/;
/** The request's framing and what the platform says are not the task's to set. */
const REFUSED_HEADERS =
  /^(?:x-appengine-.*|x-google-.*|x-forwarded-.*|proxy-.*|host|content-length|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect)$/;

const queue = z.string().regex(QUEUE_NAME, 'a queue name has 1 to 100 letters, digits and hyphens');
const name = z.string().regex(TASK_NAME, 'a task name has 1 to 500 letters, digits, _ and -');
const seconds = z.number().min(0).max(LIMITS.taskBackoffSecondsMax);

const retry = z.strictObject({
  retryLimit: z.int().min(0).max(1_000_000).exactOptional(),
  ageLimitSeconds: z.number().positive().max(1e10).exactOptional(),
  minBackoffSeconds: seconds.exactOptional(),
  maxBackoffSeconds: seconds.exactOptional(),
  maxDoublings: z.int().min(0).max(100).exactOptional(),
});

const task = z.strictObject({
  name: name.exactOptional(),
  url: z.string().exactOptional(),
  method: z.enum(TASK_METHODS).exactOptional(),
  headers: z
    .array(z.tuple([z.string(), z.string()]))
    .max(LIMITS.taskHeadersMax)
    .exactOptional(),
  payload: z.instanceof(Uint8Array).exactOptional(),
  etaMs: z.number().exactOptional(),
  countdownMs: z.number().exactOptional(),
  target: z.string().regex(TARGET, 'a target is a service, a version, or VERSION.SERVICE').exactOptional(),
  retry: retry.exactOptional(),
  deadlineMs: z.number().exactOptional(),
});

type TaskPayload = z.infer<typeof task>;

const addRequest = z.strictObject({ queue, tasks: z.array(task).min(1).max(LIMITS.tasksPerAddMax) });
const deleteRequest = z.strictObject({ queue, names: z.array(name).max(LIMITS.tasksPerAddMax) });
const queueRequest = z.strictObject({ queue });

export function taskQueueApi(queues: TaskQueues, clock: Clock): ApiService {
  return {
    name: TASK_QUEUE_SERVICE,
    resource: 'taskQueueCalls',
    megacyclesPerCall: MEGACYCLES_PER_CALL,
    deadlineMs: DEADLINE_MS,
    serviceOf: (caller) => ({
      name: TASK_QUEUE_SERVICE,
      methods: {
        add: method(addRequest, async (request): Promise<AddTasksResponse> => {
          const key = { appId: caller.appId, queue: request.queue };
          refuseDoubles(request.tasks);
          const { definition } = await queues.queue(key);
          const tasks = request.tasks.map((each) => newTask(each, caller, request.queue, definition.target, clock.nowMs()));
          return { tasks: (await queues.add(key, tasks)).map((added) => ({ name: added.name, etaMs: added.etaMs })) };
        }),
        delete: method(deleteRequest, async (request): Promise<DeleteTasksResponse> => {
          const found = await queues.queue({ appId: caller.appId, queue: request.queue });
          return { deleted: await found.delete(request.names, queues.nameReservedUntilMs()) };
        }),
        purge: method(queueRequest, async (request): Promise<PurgeQueueResponse> => ({
          purged: await queues.purge({ appId: caller.appId, queue: request.queue }),
        })),
        stats: method(queueRequest, async (request): Promise<QueueStatsResponse> => {
          const found = await queues.queue({ appId: caller.appId, queue: request.queue });
          const { tasks, running, executedLastMinute } = found.figures;
          const oldestEtaMs = tasks > 0 ? await found.oldestEtaMs() : undefined;
          return { tasks, running, executedLastMinute, ...(oldestEtaMs === undefined ? {} : { oldestEtaMs }) };
        }),
      },
    }),
  };
}

/** The task as the queue takes it. Throws TASK_INVALID, TASK_TOO_LARGE. */
function newTask(wanted: TaskPayload, caller: ApiCaller, queueName: string, queueTarget: string | undefined, nowMs: number): NewTask {
  const { method: verb = 'POST', url = `/_ah/queue/${queueName}`, headers = [], payload = new Uint8Array() } = wanted;
  if (url.length > LIMITS.taskUrlCharactersMax || !URL_PATH.test(url)) {
    throw new PlatformError('TASK_INVALID', `its url must be a path of the app with at most ${LIMITS.taskUrlCharactersMax} characters`);
  }
  if (payload.length > 0 && verb !== 'POST' && verb !== 'PUT')
    throw new PlatformError('TASK_INVALID', `a task with ${verb} has no payload`);
  for (const [header, value] of headers) checkHeader(header, value);
  const bytes = taskBytes({ url, headers, payload });
  if (bytes > LIMITS.taskBytesMax) throw new PlatformError('TASK_TOO_LARGE', `${bytes} bytes, at most ${LIMITS.taskBytesMax} are allowed`);
  return {
    ...(wanted.name === undefined ? {} : { name: wanted.name }),
    url,
    method: verb,
    headers,
    payload,
    target: wanted.target ?? queueTarget ?? `${caller.version}.${caller.service}`,
    etaMs: etaOf(wanted, nowMs),
    ...(wanted.retry === undefined ? {} : { retry: retryOf(wanted.retry) }),
    ...(wanted.deadlineMs === undefined ? {} : { deadlineMs: deadlineOf(wanted.deadlineMs) }),
  };
}

function refuseDoubles(tasks: readonly TaskPayload[]): void {
  const names = tasks.flatMap((each) => each.name ?? []);
  if (new Set(names).size < names.length) throw new PlatformError('TASK_INVALID', 'two tasks of one call have the same name');
}

function checkHeader(header: string, value: string): void {
  if (!HEADER_NAME.test(header) || !HEADER_VALUE.test(value)) {
    throw new PlatformError('TASK_INVALID', `the header ${JSON.stringify(header.slice(0, 60))} cannot be sent`);
  }
  if (REFUSED_HEADERS.test(header.toLowerCase().replaceAll('_', '-'))) {
    throw new PlatformError('TASK_INVALID', `the header "${header}" is the platform's to set`);
  }
}

function etaOf({ etaMs, countdownMs }: TaskPayload, nowMs: number): number {
  if (etaMs !== undefined && countdownMs !== undefined) throw new PlatformError('TASK_INVALID', 'it has an ETA and a countdown; give one');
  const wantedMs = etaMs ?? nowMs + (countdownMs ?? 0);
  if (Number.isNaN(wantedMs) || wantedMs > nowMs + LIMITS.taskEtaMsMax) {
    throw new PlatformError('TASK_INVALID', `its ETA must lie within the next ${LIMITS.taskEtaMsMax / 86_400_000} days`);
  }
  return Math.max(Math.floor(nowMs), Math.floor(wantedMs));
}

function deadlineOf(deadlineMs: number): number {
  if (deadlineMs >= LIMITS.taskDeadlineMsMin && deadlineMs <= LIMITS.requestDeadlineMs) return deadlineMs;
  const [min, max] = [LIMITS.taskDeadlineMsMin / SECOND_MS, LIMITS.requestDeadlineMs / SECOND_MS];
  throw new PlatformError('TASK_INVALID', `its dispatch deadline must be ${min} to ${max} s`);
}

function retryOf({ minBackoffSeconds, maxBackoffSeconds, maxDoublings, ...limits }: TaskRetryOptions): RetryParameters {
  const min = minBackoffSeconds ?? Math.min(DEFAULT_RETRY.minBackoffSeconds, maxBackoffSeconds ?? Infinity);
  const max = Math.max(min, maxBackoffSeconds ?? DEFAULT_RETRY.maxBackoffSeconds);
  return { ...limits, minBackoffSeconds: min, maxBackoffSeconds: max, maxDoublings: maxDoublings ?? DEFAULT_RETRY.maxDoublings };
}
