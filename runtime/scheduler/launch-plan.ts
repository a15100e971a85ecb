// The scheduler: which instance gets a request, when more are started, and when they go. Runs inside the router process.
// It must not speak HTTP, spawn processes or read the datastore: the router proxies, the host starts, the control plane plans.
// Read next: decide-scale.ts (every rule, pure), then version-pool.ts (one version at work), then scheduler.ts.
import { type Scaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { type InstanceSpec } from '../host/instance.ts';

/** How instances of one deployment are started, and how many there may be. Immutable, as the deployment is. */
export interface LaunchPlan {
  readonly spec: InstanceSpec;
  readonly scaling: Scaling;
  /** Whether the app takes `/_ah/warmup` (`inbound_services: warmup`). */
  readonly warmup: boolean;
}

/** Filled by the control plane's route feed, together with the route table. */
export interface LaunchPlanSource {
  /** Undefined while the plan has not arrived, and after the deployment was deleted. */
  planOf(deploymentId: string): LaunchPlan | undefined;
}
