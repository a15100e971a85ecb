// What a decision about scaling is made of, and what it says. Numbers that are ours stand in SCALE_RULES with their reason.
import { type Scaling } from '../../sdk/contract/app-manifest/manifest.ts';

export const SCALE_RULES = Object.freeze({
  /** `min_pending_latency: automatic` is the time of a boot, at most this: App Engine's default for free apps. */
  minPendingMsAutomaticMax: 500,
  /** `max_pending_latency: automatic`: App Engine's 10 s. */
  maxPendingMsAutomatic: 10_000,
  /** In this time a version may double, so that a burst of short requests does not start an instance each. */
  growthWindowMs: 250,
  /** Starts in one growth window that are allowed however small the version is: twice one instance. */
  growthStartsMin: 2,
  /** Demand of this past time keeps its instances: the window of App Engine's development server, and Knative's stable one. */
  demandWindowMs: 60_000,
  /** Between two scale-downs of one version, so that each shows its effect before the next. */
  stopSpacingMs: 15_000,
  /** From a start to the next one for the CPU's sake, so that the first shows its effect. */
  cpuSettleMs: 5_000,
  /** An instance that has been ready for this long has started well, whether it has answered anything or not. */
  stableMs: 10_000,
  /** Taken for the service time before a request was answered: that of an ordinary page. */
  serviceMsUnknown: 100,
  /**
   * Instances that wait for a version's very first answer. Nobody knows yet whether its requests take a millisecond or a
   * second, a flood of them looks the same, and boots take each other's CPU: 20 on two cores take seconds each.
   */
  instancesUnprovenMax: 4,
  /** From the end of a boot until the mean demand tells of the new places: its own time constant. */
  demandSettleMs: 500,
  /** How soon a present demand above what all instances can hold is looked at again, while its mean is still below. */
  throughputRecheckMs: 100,
  /** When the host is full, room may come at any time. */
  roomRetryMs: 250,
});

/** What one version is asked to carry. All times monotonic milliseconds. */
export interface Load {
  readonly inFlight: number;
  readonly queued: number;
  /** How long the head of the hold queue has waited; 0 when the queue is empty. */
  readonly headWaitMs: number;
  /** Requests in flight, averaged over about ten seconds. */
  readonly inFlightMean: number;
  /** Requests in flight and queued, averaged over about half a second. */
  readonly demandMean: number;
  /** In flight and queued, as 19 of 20 arrivals within `demandWindowMs` found at most, themselves included. */
  readonly demandUsual: number;
  /** Mean service time of late; undefined until a request was answered. */
  readonly serviceMs?: number | undefined;
  /** Mean time from start to ready of late; undefined until an instance was started. */
  readonly bootMs?: number | undefined;
  /** CPU that the ready instances use together, 1 being all of one instance's share; undefined where nobody can tell. */
  readonly cpu?: number | undefined;
  /** The most of it within `demandWindowMs`. */
  readonly cpuPeak?: number | undefined;
  /** When a request last came or went, or the version was warmed. */
  readonly activeAtMs: number;
}

/** What one version asks for; `S` is its way of scaling. */
export interface ScaleSpec<S extends Scaling = Scaling> {
  readonly scaling: S;
  /** Whether the version has a share of the traffic. */
  readonly isServing: boolean;
  /** Whether its deploy is done. */
  readonly isDeployed: boolean;
  /** More instances than this would get no more CPU from this machine. */
  readonly cpuInstancesMax: number;
  /** How long the last instance of automatic scaling stays without a request. Plain data, so that a policy may adapt it. */
  readonly keepAliveMs: number;
}

export interface IdleInstance {
  readonly id: string;
  readonly idleSinceMs: number;
}

/** What one version has. */
export interface PoolState {
  readonly ready: number;
  readonly booting: number;
  /** Asked to stop and not gone yet: they count against max_instances. */
  readonly leaving: number;
  /** The ready ones without a request. */
  readonly idle: readonly IdleInstance[];
  /** Starts within the last `growthWindowMs`. */
  readonly startsRecent: number;
  readonly startedAtMs?: number | undefined;
  readonly stoppedAtMs?: number | undefined;
  /** No start before this time: back-off after a failed start. */
  readonly noStartBeforeMs: number;
  /** Instances that the host still has room for. */
  readonly hostRoom: number;
  readonly isDraining: boolean;
  /** Somebody waits for a first ready instance without a request: a deploy that warms its version. */
  readonly isWarming: boolean;
}

export type StartReason = 'pending' | 'max-pending' | 'throughput' | 'min-idle' | 'min-instances' | 'cpu' | 'manual' | 'warm';

export interface ScaleDecision {
  readonly start: number;
  /** Why; absent when nothing starts. */
  readonly reason?: StartReason;
  /** Instances to stop; all are idle, so none loses a request. */
  readonly stop: readonly string[];
  /** Instances beyond those that are to go though they are busy, as soon as they have finished. */
  readonly drain: number;
  /** Starts that only the host's limit forbids: the scheduler may stop idle instances of other versions for them. */
  readonly short: number;
  /** When to decide again though nothing happens; undefined when only an event or the slow tick can change the outcome. */
  readonly recheckMs?: number;
}

/** The number of instances that a rule asks for. */
export interface ScaleTarget {
  readonly instances: number;
  readonly reason: StartReason;
}

export const NOTHING: ScaleDecision = Object.freeze({ start: 0, stop: Object.freeze([]), drain: 0, short: 0 });
