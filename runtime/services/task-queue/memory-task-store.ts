import { PlatformError } from '../../../sdk/contract/errors.ts';
import { comparePlaces, placeOf, type QueueKey, queueId, type Task, type TaskPlace } from './task.ts';
import { type QueueServiceState, type QueueStateStore, stateName, type TaskStore } from './task-store.ts';

/** The in-memory twin of DatastoreTaskStore. */
export class MemoryTaskStore implements TaskStore {
  readonly #tasks = new Map<string, Task>();
  readonly #reserved = new Map<string, { readonly appId: string; readonly untilMs: number }>();

  insert(tasks: readonly Task[]): Promise<void> {
    const ids = tasks.map(idOf);
    const taken = ids.findIndex((id) => this.#tasks.has(id) || this.#reserved.has(id));
    if (taken >= 0) return Promise.reject(new PlatformError('TASK_EXISTS', `"${tasks[taken]?.name ?? ''}"`));
    for (const task of tasks) this.#tasks.set(idOf(task), task);
    return Promise.resolve();
  }

  update(task: Task): Promise<void> {
    if (this.#tasks.has(idOf(task))) this.#tasks.set(idOf(task), task);
    return Promise.resolve();
  }

  remove(queue: QueueKey, places: readonly Pick<TaskPlace, 'name' | 'isNamed'>[], reservedUntilMs: number): Promise<void> {
    for (const { name, isNamed } of places) {
      const id = idOf({ ...queue, name });
      this.#tasks.delete(id);
      if (isNamed) this.#reserved.set(id, { appId: queue.appId, untilMs: reservedUntilMs });
    }
    return Promise.resolve();
  }

  find(queue: QueueKey, names: readonly string[]): Promise<readonly Task[]> {
    return Promise.resolve(
      names.flatMap((name) => {
        const task = this.#tasks.get(idOf({ ...queue, name }));
        return task ? [task] : [];
      }),
    );
  }

  page(queue: QueueKey, after: TaskPlace | undefined, limit: number): Promise<readonly TaskPlace[]> {
    const places = [...this.#tasks.values()].filter((task) => queueId(task) === queueId(queue)).map(placeOf);
    const later = places.filter((place) => !after || comparePlaces(place, after) > 0);
    return Promise.resolve(later.sort(comparePlaces).slice(0, limit));
  }

  queues(): Promise<readonly (QueueKey & { readonly tasks: number })[]> {
    const found = new Map<string, QueueKey & { readonly tasks: number }>();
    for (const task of this.#tasks.values()) {
      const { appId, queue } = task;
      found.set(queueId(task), { appId, queue, tasks: (found.get(queueId(task))?.tasks ?? 0) + 1 });
    }
    return Promise.resolve([...found.values()]);
  }

  releaseNames(appId: string, beforeMs: number, keep: number): Promise<number> {
    const names = [...this.#reserved].filter(([, reserved]) => reserved.appId === appId).sort(([, a], [, b]) => a.untilMs - b.untilMs);
    const freed = names.filter(([, { untilMs }], index) => untilMs < beforeMs || index < names.length - keep);
    for (const [id] of freed) this.#reserved.delete(id);
    return Promise.resolve(freed.length);
  }
}

/** The in-memory twin of DatastoreQueueStateStore. */
export class MemoryQueueStateStore implements QueueStateStore {
  readonly #states = new Map<string, QueueServiceState>();

  load(): Promise<readonly QueueServiceState[]> {
    return Promise.resolve([...this.#states.values()]);
  }

  put(state: QueueServiceState): Promise<void> {
    this.#states.set(`${state.kind} ${stateName(state)}`, state);
    return Promise.resolve();
  }

  remove(states: readonly QueueServiceState[]): Promise<void> {
    for (const state of states) this.#states.delete(`${state.kind} ${stateName(state)}`);
    return Promise.resolve();
  }
}

function idOf(task: QueueKey & { readonly name: string }): string {
  return `${queueId(task)}/${task.name}`;
}
