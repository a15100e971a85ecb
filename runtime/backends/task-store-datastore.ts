// Tasks as entities of the system app. No composite index is needed: one string orders a queue, and one the taken names.
//
//   Task      key name APP/QUEUE/NAME
//             due       APP/QUEUE/ETA/NAME/EPOCH/NAMED    indexed; ETA 15 digits of milliseconds, EPOCH a number, NAMED 0 or 1
//             task      UTF-8 of {"form": 1, "task": {...}} without payload, payload, nonce    not indexed
//   a taken name is the same entity with
//             reserved  APP/UNTIL/QUEUE/NAME              indexed; UNTIL 15 digits of milliseconds
//             nonce
//   QueueState, JobState   key name APP/QUEUE, APP/JOB;  state: UTF-8 of JSON
import { z } from 'zod';
import { type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { type Entity } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { type QueueKey, queueId, type Task, type TaskPlace } from '../services/task-queue/task.ts';
import { type QueueServiceState, type QueueStateStore, stateName, type TaskStore } from '../services/task-queue/task-store.ts';
import { blobOf, deleting, stringOf, SystemEntities, systemKey, writing } from './system-entities.ts';

const TASK_KIND = 'Task';
const STATE_KINDS = { queue: 'QueueState', job: 'JobState' } as const;
const FORM = 1;
const MS_DIGITS = 15;
/** The character after `/`: what is above every string that begins with a prefix and `/`. */
const AFTER_SLASH = '0';
const BEYOND_ALL = '\uffff';

const retry = z.object({
  retryLimit: z.number().exactOptional(),
  ageLimitSeconds: z.number().exactOptional(),
  minBackoffSeconds: z.number(),
  maxBackoffSeconds: z.number(),
  maxDoublings: z.number(),
});

const task: z.ZodType<Omit<Task, 'payload'>> = z.object({
  appId: z.string(),
  queue: z.string(),
  name: z.string(),
  isNamed: z.boolean(),
  nonce: z.string(),
  epoch: z.number(),
  createdAtMs: z.number(),
  etaMs: z.number(),
  url: z.string(),
  method: z.string(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  target: z.string(),
  retry: retry.exactOptional(),
  deadlineMs: z.number().exactOptional(),
  retries: z.number(),
  executions: z.number(),
  firstTriedAtMs: z.number().exactOptional(),
  lastStatus: z.number().exactOptional(),
  lastReason: z.string().exactOptional(),
});
const taskEnvelope = z.object({ form: z.literal(FORM), task });

const state: z.ZodType<QueueServiceState> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('queue'),
    appId: z.string(),
    queue: z.string(),
    pausedAtMs: z.number().exactOptional(),
    epoch: z.number(),
  }),
  z.object({
    kind: z.literal('job'),
    appId: z.string(),
    jobId: z.string(),
    lastRunAtMs: z.number(),
    endedAtMs: z.number().exactOptional(),
    lastStatus: z.number().exactOptional(),
    lastLatencyMs: z.number().exactOptional(),
  }),
]);

export class DatastoreTaskStore implements TaskStore {
  readonly #entities: SystemEntities;

  constructor(rpc: Rpc) {
    this.#entities = new SystemEntities(rpc);
  }

  async insert(tasks: readonly Task[]): Promise<void> {
    const mutations = tasks.map((each) => taskMutation('insert', each));
    let wasLost = false;
    for (;;) {
      try {
        await this.#entities.commit(mutations, { idempotent: false });
        return;
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        // The first try may have gone through: then the names are taken, by these very tasks.
        if (error.code === 'DS_ALREADY_EXISTS' && wasLost && (await this.#areOurs(tasks))) return;
        if (error.code === 'DS_ALREADY_EXISTS') {
          throw new PlatformError('TASK_EXISTS', tasks.length === 1 ? `"${tasks[0]?.name ?? ''}"` : 'one of the tasks; none was added', {
            cause: error,
          });
        }
        if (error.code !== 'RPC_CONNECTION_LOST') throw error;
        wasLost = true;
      }
    }
  }

  async update(updated: Task): Promise<void> {
    try {
      await this.#entities.commit([taskMutation('update', updated)], { idempotent: true });
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === 'DS_NOT_FOUND')) throw error;
    }
  }

  async remove(queue: QueueKey, places: readonly Pick<TaskPlace, 'name' | 'isNamed'>[], reservedUntilMs: number): Promise<void> {
    const mutations = places.map(({ name, isNamed }): WireMutation => {
      const key = taskKey(queue, name);
      if (!isNamed) return deleting(key);
      const reserved = `${queue.appId}/${digits(reservedUntilMs)}/${queue.queue}/${name}`;
      return writing('upsert', key, {
        reserved: { kind: 'string', value: reserved },
        nonce: { kind: 'string', value: '', excludeFromIndexes: true },
      });
    });
    for (let start = 0; start < mutations.length; start += LIMITS.commitMutationsMax) {
      await this.#entities.commit(mutations.slice(start, start + LIMITS.commitMutationsMax), { idempotent: true });
    }
  }

  async find(queue: QueueKey, names: readonly string[]): Promise<readonly Task[]> {
    const entities = await this.#entities.lookup(names.map((name) => taskKey(queue, name)));
    return entities.filter(({ properties }) => properties['task'] !== undefined).map(taskOf);
  }

  async page(queue: QueueKey, after: TaskPlace | undefined, limit: number): Promise<readonly TaskPlace[]> {
    const prefix = queueId(queue);
    // `~` comes after every character that may follow a name, so that the place itself is not met again.
    const start = after ? `${prefix}/${digits(after.etaMs)}/${after.name}/~` : `${prefix}/`;
    const range = { property: 'due', after: start, before: `${prefix}${AFTER_SLASH}` };
    return (await this.#entities.query({ kind: TASK_KIND, range, projected: true, limit })).map((entity) =>
      placeFrom(stringOf(entity, 'due')),
    );
  }

  async queues(): Promise<readonly (QueueKey & { readonly tasks: number })[]> {
    const queues: (QueueKey & { tasks: number })[] = [];
    for (let after = ''; ;) {
      const range = { property: 'due', after, before: BEYOND_ALL };
      const [first] = await this.#entities.query({ kind: TASK_KIND, range, projected: true, limit: 1 });
      if (!first) return queues;
      const [appId = '', queue = ''] = stringOf(first, 'due').split('/');
      const within = { property: 'due', after: `${appId}/${queue}/`, before: `${appId}/${queue}${AFTER_SLASH}` };
      queues.push({ appId, queue, tasks: await this.#entities.count({ kind: TASK_KIND, range: within }) });
      after = within.before;
    }
  }

  async releaseNames(appId: string, beforeMs: number, keep: number): Promise<number> {
    const all = { property: 'reserved', after: `${appId}/`, before: `${appId}${AFTER_SLASH}` };
    const expired = { ...all, before: `${appId}/${digits(beforeMs)}` };
    let freed = await this.#releaseIn(expired, Infinity);
    const count = await this.#entities.count({ kind: TASK_KIND, range: all });
    if (count > keep) freed += await this.#releaseIn(all, count - keep);
    return freed;
  }

  async #releaseIn(range: { readonly property: string; readonly after: string; readonly before: string }, most: number): Promise<number> {
    let freed = 0;
    while (freed < most) {
      const limit = Math.min(LIMITS.commitMutationsMax, most - freed);
      const entities = await this.#entities.query({ kind: TASK_KIND, range, projected: true, limit });
      if (entities.length === 0) break;
      await this.#entities.commit(
        entities.map(({ key }) => deleting(systemKey(TASK_KIND, key.path[0]?.name ?? ''))),
        { idempotent: true },
      );
      freed += entities.length;
    }
    return freed;
  }

  /** Whether every one of the tasks is there as it was to be inserted. */
  async #areOurs(tasks: readonly Task[]): Promise<boolean> {
    const entities = await this.#entities.lookup(tasks.map((each) => taskKey(each, each.name)));
    const nonces = new Set(entities.map((entity) => stringOf(entity, 'nonce')));
    return tasks.every(({ nonce }) => nonces.has(nonce));
  }
}

export class DatastoreQueueStateStore implements QueueStateStore {
  readonly #entities: SystemEntities;

  constructor(rpc: Rpc) {
    this.#entities = new SystemEntities(rpc);
  }

  async load(): Promise<readonly QueueServiceState[]> {
    const states: QueueServiceState[] = [];
    for (const kind of Object.values(STATE_KINDS)) {
      for (const entity of await this.#entities.query({ kind })) states.push(parsed(state, blobOf(entity, 'state'), kind));
    }
    return states;
  }

  async put(changed: QueueServiceState): Promise<void> {
    const value = Buffer.from(JSON.stringify(changed));
    await this.#entities.commit([writing('upsert', stateKey(changed), { state: { kind: 'blob', value, excludeFromIndexes: true } })], {
      idempotent: true,
    });
  }

  async remove(states: readonly QueueServiceState[]): Promise<void> {
    for (let start = 0; start < states.length; start += LIMITS.commitMutationsMax) {
      const part = states.slice(start, start + LIMITS.commitMutationsMax);
      await this.#entities.commit(
        part.map((each) => deleting(stateKey(each))),
        { idempotent: true },
      );
    }
  }
}

function stateKey(of: QueueServiceState): Key {
  return systemKey(STATE_KINDS[of.kind], stateName(of));
}

function taskKey(queue: QueueKey, name: string): Key {
  return systemKey(TASK_KIND, `${queueId(queue)}/${name}`);
}

function taskMutation(op: 'insert' | 'update', { payload, ...rest }: Task): WireMutation {
  const due = `${queueId(rest)}/${digits(rest.etaMs)}/${rest.name}/${rest.epoch}/${rest.isNamed ? 1 : 0}`;
  return writing(op, taskKey(rest, rest.name), {
    due: { kind: 'string', value: due },
    task: { kind: 'blob', value: Buffer.from(JSON.stringify({ form: FORM, task: rest })), excludeFromIndexes: true },
    payload: { kind: 'blob', value: payload, excludeFromIndexes: true },
    nonce: { kind: 'string', value: rest.nonce, excludeFromIndexes: true },
  });
}

function taskOf(entity: Entity): Task {
  return { ...parsed(taskEnvelope, blobOf(entity, 'task'), TASK_KIND).task, payload: blobOf(entity, 'payload') };
}

function placeFrom(due: string): TaskPlace {
  const [, , eta = '', name = '', epoch = '', named = ''] = due.split('/');
  return { name, etaMs: Number(eta), epoch: Number(epoch), isNamed: named === '1' };
}

function digits(ms: number): string {
  return String(Math.max(0, Math.floor(ms))).padStart(MS_DIGITS, '0');
}

function parsed<T>(schema: z.ZodType<T>, bytes: Uint8Array, kind: string): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new PlatformError('DS_CORRUPT', `an entity of kind ${kind} is not JSON`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new PlatformError('DS_CORRUPT', `an entity of kind ${kind}, at ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}
