import { join } from 'node:path';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { HttpTaskCaller } from '../backends/task-caller-http.ts';
import { DatastoreQueueStateStore, DatastoreTaskStore } from '../backends/task-store-datastore.ts';
import { type AppRegistry } from '../control/app-registry.ts';
import { CronScheduler } from '../services/task-queue/cron-scheduler.ts';
import { TaskDesk } from '../services/task-queue/task-desk.ts';
import { TaskQueues } from '../services/task-queue/task-queues.ts';
import { PLATFORM_SOCKET, type PlatformSettings, type PlatformWorld, type RunningRole } from './settings.ts';

export interface TaskService extends RunningRole {
  readonly queues: TaskQueues;
  readonly desk: TaskDesk;
}

/** Push queues and cron jobs, over the datastore and the router's private socket; both may come later. */
export function startTaskService(settings: PlatformSettings, datastore: Rpc, registry: AppRegistry, world: PlatformWorld): TaskService {
  const { clock, timers, random, log } = world;
  const states = new DatastoreQueueStateStore(datastore);
  const caller = new HttpTaskCaller(join(settings.runDirectory, PLATFORM_SOCKET), timers);
  const ports = { tasks: new DatastoreTaskStore(datastore), states, caller, registry };
  const queues = new TaskQueues(ports, clock, timers, random, log, { domain: settings.domain });
  const cron = new CronScheduler(queues, states, registry, clock, timers, log);
  const closing = new CloseStack();
  queues.start({ onCronEnd: cron.ended });
  closing.defer(() => queues.close());
  cron.start();
  closing.defer(() => cron.close());
  return { queues, desk: new TaskDesk(queues, cron), close: () => closing.close() };
}
