// The scheduler across the border of its process: served by the router, called by the control plane.
import { z } from 'zod';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { type SchedulerView, schedulerViewSchema } from './scheduler-view.ts';

/** What a deploy asks before it moves traffic. */
export interface InstanceWarmer {
  /** Resolves once the deployment has a ready instance. Throws what its start says: INSTANCE_* with `stderrTail`. */
  warm(deploymentId: string): Promise<void>;
  /** Resolves once requests are routed to the deployment, which it was just given. Throws DEADLINE_EXCEEDED. */
  awaitServing(deploymentId: string): Promise<void>;
}

/** What the console asks of one instance. */
export interface InstanceStopper {
  /** Resolves once the instance takes no more requests. Throws INSTANCE_NOT_FOUND. */
  stopInstance(instanceId: string): Promise<void>;
}

/** What the service offers of the scheduler. */
export interface SchedulerFront extends InstanceWarmer {
  stopInstance(instanceId: string): void;
  view(): SchedulerView;
}

/** The scheduler as other processes see it. */
export interface SchedulerClient extends InstanceWarmer, InstanceStopper {
  view(): Promise<SchedulerView>;
}

const SERVICE = 'scheduler';
/** A start takes at most 30 s by default and a warm-up 10 s more; the router may be restarting on top of that. */
const WARM_MS_MAX = 120_000;
const SERVING_MS_MAX = 10_000;
const DEPLOYMENT_ID_CHARACTERS_MAX = 200;

const INSTANCE_ID_CHARACTERS_MAX = 100;

const instance = z.object({ instanceId: z.string().min(1).max(INSTANCE_ID_CHARACTERS_MAX) });
const deployment = z.object({ deploymentId: z.string().min(1).max(DEPLOYMENT_ID_CHARACTERS_MAX) });

export function schedulerService(scheduler: SchedulerFront): Service {
  return {
    name: SERVICE,
    methods: {
      warm: method(deployment, async ({ deploymentId }) => {
        await scheduler.warm(deploymentId);
        return {};
      }),
      awaitServing: method(deployment, async ({ deploymentId }) => {
        await scheduler.awaitServing(deploymentId);
        return {};
      }),
      stopInstance: method(instance, ({ instanceId }) => {
        scheduler.stopInstance(instanceId);
        return {};
      }),
      view: method(z.object({}), () => scheduler.view()),
    },
  };
}

/** Warming twice does no harm, so a call whose connection broke is made again. */
export class RpcSchedulerClient implements SchedulerClient {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async warm(deploymentId: string): Promise<void> {
    await this.#rpc.call(SERVICE, 'warm', { deploymentId }, { deadlineMs: WARM_MS_MAX, idempotent: true });
  }

  async awaitServing(deploymentId: string): Promise<void> {
    await this.#rpc.call(SERVICE, 'awaitServing', { deploymentId }, { deadlineMs: SERVING_MS_MAX, idempotent: true });
  }

  async stopInstance(instanceId: string): Promise<void> {
    await this.#rpc.call(SERVICE, 'stopInstance', { instanceId }, { idempotent: true });
  }

  async view(): Promise<SchedulerView> {
    return schedulerViewSchema.parse(await this.#rpc.call(SERVICE, 'view', {}, { idempotent: true }));
  }
}
