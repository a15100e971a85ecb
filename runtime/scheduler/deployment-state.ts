/** What may change about a deployment, which itself never does. */
export interface DeploymentState {
  /** Whether it has a share of the traffic: min_instances and min_idle_instances are for those. */
  readonly isServing: boolean;
  /** Whether its deploy is done: instances of manual scaling run from then on, with traffic or without. */
  readonly isDeployed: boolean;
  /** Stopped by hand: it has no instances, and requests are refused. */
  readonly isStopped: boolean;
  /** Manual scaling: how many instances there are to be now, instead of what app.yaml says. */
  readonly instances?: number | undefined;
}

export const UNKNOWN_DEPLOYMENT: DeploymentState = Object.freeze({ isServing: false, isDeployed: false, isStopped: false });
