import { type InstanceLease, type InstanceTarget } from '../../router/ports.ts';
import { type InstanceHost } from '../../runtime/host/instance.ts';
import { type LaunchPlan } from '../../runtime/scheduler/launch-plan.ts';
import { Scheduler, type SchedulerOptions } from '../../runtime/scheduler/scheduler.ts';
import { type AutomaticScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';

/** What finds a place for each request, and starts and stops instances for it: our scheduler, or a peer's rule. */
export interface ServingSource {
  start(): void;
  acquire(target: InstanceTarget, options: { readonly signal: AbortSignal }): Promise<InstanceLease>;
  /** Requests that it counts as under way or waiting: none, once the last was answered. */
  openRequests(): number;
  close(): Promise<void>;
}

/** Peers scale by load alone, so everything here does. */
export interface SimulatedPlan extends LaunchPlan {
  readonly scaling: AutomaticScaling;
}

export interface SourceParts {
  readonly host: InstanceHost;
  /** Every deployment of the world has traffic from the beginning. */
  readonly plans: ReadonlyMap<string, SimulatedPlan>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

export type SourceFactory = (parts: SourceParts) => ServingSource;

/** The scheduler that the router runs, as it is. */
export function ourScheduler(options: SchedulerOptions = {}): SourceFactory {
  return ({ host, plans, clock, timers, random, log }) => {
    const scheduler = new Scheduler(host, { planOf: (id) => plans.get(id) }, clock, timers, random, log, options);
    return {
      start: () => {
        scheduler.start();
        scheduler.setServing(new Set(plans.keys()));
      },
      acquire: (target, acquireOptions) => scheduler.acquire(target, acquireOptions),
      openRequests: () => {
        const { pools } = scheduler.view();
        const onInstances = pools.flatMap(({ instances }) => instances.map(({ inFlight }) => inFlight));
        return [...pools.map(({ inFlight, queued }) => inFlight + queued), ...onInstances].reduce((sum, count) => sum + count, 0);
      },
      close: () => scheduler.close(),
    };
  };
}
