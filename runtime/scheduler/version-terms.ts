import { CPU_WEIGHT_PER_CORE } from '../../sdk/contract/app-manifest/instance-class.ts';
import { type AutomaticScaling, type ManualScaling, type Scaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type DeploymentState, UNKNOWN_DEPLOYMENT } from './deployment-state.ts';
import { type LaunchPlan, type LaunchPlanSource } from './launch-plan.ts';
import { type ScaleSpec } from './scale-decision.ts';
import { isResident, requestMsMaxOf, residentsOf } from './version-bounds.ts';

/** App Engine's defaults, for adopted instances whose plan has not arrived yet. */
const SCALING_UNPLANNED: AutomaticScaling = {
  kind: 'automatic',
  minInstances: 0,
  maxInstances: LIMITS.instancesPerVersionMax,
  minIdleInstances: 0,
  maxConcurrentRequests: 10,
  targetThroughputUtilization: 0.6,
  targetCpuUtilization: 0.6,
};

/** On what terms one version runs: what its plan says, and what was changed since. */
export class VersionTerms {
  readonly #plans: LaunchPlanSource;
  readonly #deploymentId: string;
  #state = UNKNOWN_DEPLOYMENT;
  /** The last plan there was: what still runs of a deleted version ends as it was started. */
  #lastPlan: LaunchPlan | undefined;
  /** Instead of what the plan says, when the number of instances was changed. */
  #manual: ManualScaling | undefined;

  constructor(plans: LaunchPlanSource, deploymentId: string) {
    this.#plans = plans;
    this.#deploymentId = deploymentId;
  }

  get state(): DeploymentState {
    return this.#state;
  }

  set state(state: DeploymentState) {
    this.#state = state;
    this.#manual = state.instances === undefined ? undefined : { kind: 'manual', instances: state.instances };
  }

  /** Undefined while it has not arrived, and after the deployment was deleted. */
  get plan(): LaunchPlan | undefined {
    return this.#plans.planOf(this.#deploymentId);
  }

  /** That of a deleted version as well. */
  get scaling(): Scaling {
    this.#lastPlan = this.plan ?? this.#lastPlan;
    return this.#manual ?? this.#lastPlan?.scaling ?? SCALING_UNPLANNED;
  }

  /** Whether its instances are told of their start and of their end by requests: App Engine's basic and manual scaling. */
  get hasStartAndStop(): boolean {
    return this.scaling.kind !== 'automatic';
  }

  /** How long a request may take, and so how long an instance that is to go waits for those it has. */
  get requestMsMax(): number {
    return requestMsMaxOf(this.scaling.kind);
  }

  get readyMsMax(): number {
    return this.plan?.spec.readyMsMax ?? LIMITS.instanceReadyMs;
  }

  /** How long a deploy waits for the answer to an instance's first request. */
  get greetingMsMax(): number {
    return this.hasStartAndStop ? LIMITS.deployStartRequestMsMax : LIMITS.instanceWarmupMsMax;
  }

  /** Instances that nobody may take for another version. */
  get residents(): number {
    return residentsOf(this.scaling, this.#state.isServing);
  }

  /** Whether there are to be instances without any request. */
  get isHeld(): boolean {
    const { isServing, isDeployed, isStopped } = this.#state;
    return isServing || (isDeployed && !isStopped && isResident(this.scaling));
  }

  /** What of a core one instance's class stands for. */
  get coresPerInstance(): number {
    return (this.plan?.spec.cpuWeight ?? 1) / CPU_WEIGHT_PER_CORE;
  }

  scaleSpec(keepAliveMs: number, cores: number): ScaleSpec {
    const { isServing, isDeployed } = this.#state;
    const cpuInstancesMax = Math.max(1, Math.floor(cores / this.coresPerInstance));
    return { scaling: this.scaling, isServing, isDeployed, keepAliveMs, cpuInstancesMax };
  }
}
