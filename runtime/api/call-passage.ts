// What each call of an app passes, whichever way it came: quota gate, calls under way, count and cycles, observer.
// One for all of a process's ways to the same services, so that their calls under way are counted together.
// Read next: service-table.ts and v1-call-guard.ts, which send calls through it.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type UsageResource } from '../../sdk/contract/usage.ts';
import { type QuotaGate, type UsageMeter } from './usage-meter.ts';

/** What a call of a service is counted as and costs. */
export interface CallTerms {
  readonly name: string;
  /** What each call is counted as, besides what the service itself meters. */
  readonly resource: UsageResource;
  /** CPU that one call costs on the platform's side, charged to the app whatever the machine took. */
  readonly megacyclesPerCall: number;
}

/** Told of each call, on its way: must be quick and must not throw. */
export interface CallObserver {
  /** Monotonic milliseconds, for `end`. */
  begin(): number;
  /** `result`: ok, or the code of the error. */
  end(service: string, method: string, begunMs: number, result: string): void;
}

export class CallPassage {
  readonly #gate: QuotaGate;
  readonly #meter: UsageMeter;
  readonly #observer: CallObserver | undefined;
  /** By app and resource. */
  readonly #inFlight = new Map<string, number>();

  constructor(gate: QuotaGate, meter: UsageMeter, observer?: CallObserver) {
    this.#gate = gate;
    this.#meter = meter;
    this.#observer = observer;
  }

  /** Checks, counts, then calls. A call that fails was made all the same, and is counted. Throws QUOTA_EXCEEDED, RPC_OVERLOADED. */
  async around<T>(terms: CallTerms, method: string, appId: string, call: () => T | Promise<T>): Promise<T> {
    const { name, resource, megacyclesPerCall } = terms;
    const observer = this.#observer;
    const begunMs = observer?.begin() ?? 0;
    let result = 'ok';
    this.#gate.check(appId, resource);
    const leave = this.#enter(terms, appId);
    this.#meter.add(appId, { [resource]: 1, cpuMegacycles: megacyclesPerCall });
    try {
      return await call();
    } catch (error) {
      result = error instanceof PlatformError ? error.code : 'INTERNAL';
      throw error;
    } finally {
      leave();
      observer?.end(name, method, begunMs, result);
    }
  }

  #enter({ name, resource }: CallTerms, appId: string): () => void {
    const key = `${appId} ${resource}`;
    const count = this.#inFlight.get(key) ?? 0;
    if (count >= LIMITS.apiCallsInFlightMax) {
      throw new PlatformError('RPC_OVERLOADED', `the app has ${count} calls of ${name} under way`);
    }
    this.#inFlight.set(key, count + 1);
    return () => {
      const left = (this.#inFlight.get(key) ?? 1) - 1;
      if (left > 0) this.#inFlight.set(key, left);
      else this.#inFlight.delete(key);
    };
  }
}
