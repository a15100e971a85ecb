import { type InstanceLease } from '../../../router/ports.ts';
import { type InstanceHost, type InstanceSpec, type InstanceView } from '../../../runtime/host/instance.ts';

/** One instance as a peer's rule sees it. */
export interface Pod {
  readonly id: string;
  /** `leaving`: it takes no more requests, and goes after its last. */
  readonly state: 'starting' | 'ready' | 'leaving';
  readonly inFlight: number;
}

interface MutablePod extends Pod {
  state: Pod['state'];
  inFlight: number;
  hasServed: boolean;
}

/** A peer's instances of one app, on the same host that ours run on. Starts and stops as told, decides nothing. */
export class PodSet {
  readonly #host: InstanceHost;
  readonly #spec: InstanceSpec;
  readonly #onReady: (pod: Pod) => void;
  readonly #pods = new Map<string, MutablePod>();

  constructor(host: InstanceHost, spec: InstanceSpec, onReady: (pod: Pod) => void) {
    this.#host = host;
    this.#spec = spec;
    this.#onReady = onReady;
    host.watch({
      onReset: () => undefined,
      onChange: (view) => {
        if (view.deploymentId === spec.deploymentId) this.#onChange(view);
      },
    });
  }

  /** All that take room, oldest first. */
  all(): readonly Pod[] {
    return [...this.#pods.values()];
  }

  /** Those that were not asked to go, oldest first. */
  staying(): readonly Pod[] {
    return this.all().filter(({ state }) => state !== 'leaving');
  }

  ready(): readonly Pod[] {
    return this.all().filter(({ state }) => state === 'ready');
  }

  /** The pod is listed from now on; `onReady` hears when it may be given requests. Resolves with its id. */
  async start(): Promise<string> {
    return (await this.#host.start(this.#spec)).id;
  }

  /** Asks the pod to go once its requests are done. */
  retire({ id }: Pod): void {
    const pod = this.#get(id);
    pod.state = 'leaving';
    if (pod.inFlight === 0) void this.#host.stop(id, { graceMs: 1_000 });
  }

  /** A place on the pod; `onRelease` hears once when it is given back. */
  place({ id }: Pod, pendingMs: number, onRelease: () => void): InstanceLease {
    const pod = this.#get(id);
    const isLoadingRequest = !pod.hasServed;
    pod.hasServed = true;
    pod.inFlight++;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      pod.inFlight--;
      if (pod.state === 'leaving' && pod.inFlight === 0) void this.#host.stop(id, { graceMs: 1_000 });
      onRelease();
    };
    return { instanceId: id, socketPath: `/memory/${id}/app.sock`, isLoadingRequest, pendingMs, release };
  }

  #get(id: string): MutablePod {
    const pod = this.#pods.get(id);
    if (!pod) throw new Error(`no pod ${id}`);
    return pod;
  }

  #onChange({ id, state }: InstanceView): void {
    let pod = this.#pods.get(id);
    if (state === 'starting' && !pod) this.#pods.set(id, (pod = { id, state: 'starting', inFlight: 0, hasServed: false }));
    if (state === 'exited') this.#pods.delete(id);
    if (state !== 'ready' || pod?.state !== 'starting') return;
    pod.state = 'ready';
    this.#onReady(pod);
  }
}
