// Push queues as an app sees them.
import { PlatformError } from '../contract/errors.ts';
import { DEFAULT_QUEUE_NAME } from '../contract/queue-definition.ts';
import {
  type AddTasksRequest,
  type AddTasksResponse,
  type DeleteTasksRequest,
  type DeleteTasksResponse,
  type PurgeQueueRequest,
  type PurgeQueueResponse,
  type QueueStatsRequest,
  type QueueStatsResponse,
  TASK_QUEUE_SERVICE,
  type TaskMethod,
  type TaskRetryOptions,
  type WireTask,
} from '../contract/services/task-queue.ts';
import { type Rpc } from '../contract/wire/client.ts';

/** A task to be added. Only `url` is usual; without it the task goes to `/_ah/queue/QUEUE`. */
export interface TaskOptions {
  /** Path and query within the app. */
  readonly url?: string;
  /** Default POST. */
  readonly method?: TaskMethod;
  /** Sent as a form (POST, PUT) or in the query (GET, HEAD, DELETE). Not together with `payload`. */
  readonly params?: Readonly<Record<string, string | number | boolean>>;
  /** The body: text, bytes, or a value that becomes JSON. For POST and PUT. */
  readonly payload?: string | Uint8Array | object;
  readonly headers?: Readonly<Record<string, string>>;
  /** Adds the task once only: a second one with the name is refused with TASK_EXISTS, for days after it is done too. */
  readonly name?: string;
  /** Seconds until it is due; at most 30 days. */
  readonly countdownSeconds?: number;
  /** When it is due. */
  readonly eta?: Date;
  /** `service`, `version` or `version.service`; default: the queue's, else this very version. */
  readonly target?: string;
  readonly retry?: TaskRetryOptions;
  /** How long the handler may take, 15 to 600. */
  readonly deadlineSeconds?: number;
}

export interface AddedTask {
  readonly name: string;
  readonly eta: Date;
}

export interface QueueStatistics {
  /** Waiting and running. */
  readonly tasks: number;
  readonly running: number;
  readonly oldestEta?: Date;
  readonly executedLastMinute: number;
}

const SECOND_MS = 1_000;
const FORM = 'application/x-www-form-urlencoded';

/** One queue of the app. `taskQueue` is the default one; `taskQueue.queue('mail')` is another. */
export class TaskQueue {
  readonly name: string;
  readonly #rpc: Rpc;

  constructor(rpc: Rpc, name: string = DEFAULT_QUEUE_NAME) {
    this.#rpc = rpc;
    this.name = name;
  }

  /** A queue that queue.yaml declares. */
  queue(name: string): TaskQueue {
    return new TaskQueue(this.#rpc, name);
  }

  /**
   * Adds a task; resolved, it is on disk and will be sent until its handler answers 2xx.
   * Throws TASK_EXISTS, TASK_INVALID, TASK_TOO_LARGE, QUEUE_NOT_FOUND, QUEUE_FULL.
   */
  async add(task: TaskOptions): Promise<AddedTask> {
    const [added] = await this.addAll([task]);
    if (!added) throw new PlatformError('INTERNAL', 'the platform did not say what it added');
    return added;
  }

  /** At most 100 tasks: all are added, or none. */
  async addAll(tasks: readonly TaskOptions[]): Promise<AddedTask[]> {
    const request: AddTasksRequest = { queue: this.name, tasks: tasks.map(wireTask) };
    const response = (await this.#rpc.call(TASK_QUEUE_SERVICE, 'add', request)) as AddTasksResponse;
    return response.tasks.map(({ name, etaMs }) => ({ name, eta: new Date(etaMs) }));
  }

  /** Whether the task was there. One that runs is not tried again. */
  async delete(name: string): Promise<boolean> {
    const request: DeleteTasksRequest = { queue: this.name, names: [name] };
    const response = (await this.#rpc.call(TASK_QUEUE_SERVICE, 'delete', request)) as DeleteTasksResponse;
    return response.deleted.includes(name);
  }

  /** Deletes every task; how many there were. */
  async purge(): Promise<number> {
    const request: PurgeQueueRequest = { queue: this.name };
    return ((await this.#rpc.call(TASK_QUEUE_SERVICE, 'purge', request)) as PurgeQueueResponse).purged;
  }

  async statistics(): Promise<QueueStatistics> {
    const request: QueueStatsRequest = { queue: this.name };
    const payload = await this.#rpc.call(TASK_QUEUE_SERVICE, 'stats', request, { idempotent: true });
    const { oldestEtaMs, ...figures } = payload as QueueStatsResponse;
    return { ...figures, ...(oldestEtaMs === undefined ? {} : { oldestEta: new Date(oldestEtaMs) }) };
  }
}

function wireTask(task: TaskOptions): WireTask {
  const { name, method = 'POST', url, countdownSeconds, eta, target, retry, deadlineSeconds } = task;
  const headers = new Map(Object.entries(task.headers ?? {}).map(([key, value]) => [key.toLowerCase(), [key, value] as const]));
  const hasBody = method === 'POST' || method === 'PUT';
  if (task.params && task.payload !== undefined) throw new PlatformError('TASK_INVALID', 'it has params and a payload; give one');
  const form = task.params && formOf(task.params);
  const body = form !== undefined && hasBody ? { bytes: Buffer.from(form), type: FORM } : bodyOf(task.payload);
  if (body && !headers.has('content-type')) headers.set('content-type', ['Content-Type', body.type]);
  const query = form !== undefined && !hasBody ? form : '';
  if (query !== '' && url === undefined) throw new PlatformError('TASK_INVALID', `a task with ${method} and params needs a url`);
  const fullUrl = url === undefined || query === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${query}`;
  return {
    method,
    ...(fullUrl === undefined ? {} : { url: fullUrl }),
    ...(headers.size === 0 ? {} : { headers: [...headers.values()] }),
    ...(body ? { payload: body.bytes } : {}),
    ...(name === undefined ? {} : { name }),
    ...(countdownSeconds === undefined ? {} : { countdownMs: countdownSeconds * SECOND_MS }),
    ...(eta === undefined ? {} : { etaMs: eta.getTime() }),
    ...(target === undefined ? {} : { target }),
    ...(retry === undefined ? {} : { retry }),
    ...(deadlineSeconds === undefined ? {} : { deadlineMs: deadlineSeconds * SECOND_MS }),
  };
}

function formOf(params: NonNullable<TaskOptions['params']>): string {
  return new URLSearchParams(Object.entries(params).map(([key, value]): [string, string] => [key, String(value)])).toString();
}

function bodyOf(payload: TaskOptions['payload']): { readonly bytes: Uint8Array; readonly type: string } | undefined {
  if (payload === undefined) return undefined;
  if (typeof payload === 'string') return { bytes: Buffer.from(payload), type: 'text/plain; charset=utf-8' };
  if (payload instanceof Uint8Array) return { bytes: payload, type: 'application/octet-stream' };
  return { bytes: Buffer.from(JSON.stringify(payload)), type: 'application/json' };
}
