// The one path of every call that an instance makes: socket → this table → service → backend port.
// A service says what it is in an ApiService; limits, quota and metering around each call are the same for all, here.
// Read next: usage-meter.ts for what is counted, ../services/ for the services, ../platform/ for who joins them.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type UsageResource } from '../../sdk/contract/usage.ts';
import { type CallContext, type MethodHandler, type Service } from '../../sdk/contract/wire/service.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import { type InstanceView } from '../host/instance.ts';
import { type QuotaGate, type UsageMeter } from './usage-meter.ts';

/** Who calls. The socket is the identity: nothing here comes from the app. */
export type ApiCaller = Pick<InstanceView, 'id' | 'appId' | 'service' | 'version'>;

/** A service that apps may call. One for the platform; `serviceOf` is asked once for each instance. */
export interface ApiService {
  readonly name: string;
  /** What each call is counted as, besides what the service itself meters. */
  readonly resource: UsageResource;
  /** CPU that one call costs on the platform's side, charged to the app whatever the machine took. */
  readonly megacyclesPerCall: number;
  /** How long one call may take before it ends with DEADLINE_EXCEEDED; zero where the service bounds itself. */
  readonly deadlineMs: number;
  readonly serviceOf: (caller: ApiCaller) => Service;
}

/** Told of each call, on its way: must be quick and must not throw. */
export interface CallObserver {
  /** Monotonic milliseconds, for `end`. */
  begin(): number;
  /** `result`: ok, or the code of the error. */
  end(service: string, method: string, begunMs: number, result: string): void;
}

export class ServiceTable {
  readonly #services: readonly ApiService[];
  readonly #gate: QuotaGate;
  readonly #meter: UsageMeter;
  readonly #timers: Timers;
  readonly #observer: CallObserver | undefined;
  readonly #inFlight = new Map<string, number>();

  constructor(services: readonly ApiService[], gate: QuotaGate, meter: UsageMeter, timers: Timers, observer?: CallObserver) {
    this.#services = services;
    this.#gate = gate;
    this.#meter = meter;
    this.#timers = timers;
    this.#observer = observer;
  }

  get names(): readonly string[] {
    return this.#services.map(({ name }) => name);
  }

  /** Everything that one instance may call. */
  servicesOf(caller: ApiCaller): readonly Service[] {
    return this.#services.map((api) => {
      const { name, methods } = api.serviceOf(caller);
      const guarded = Object.entries(methods).map(([method, handle]) => [method, this.#guarded(api, method, caller, handle)] as const);
      return { name, methods: Object.fromEntries(guarded) };
    });
  }

  /** Checks, counts, then calls. A call that fails was made all the same, and is counted. */
  #guarded(api: ApiService, method: string, { appId }: ApiCaller, handle: MethodHandler): MethodHandler {
    const observer = this.#observer;
    return async (payload, context) => {
      const begunMs = observer?.begin() ?? 0;
      let result = 'ok';
      this.#gate.check(appId, api.resource);
      const leave = this.#enter(api, appId);
      this.#meter.add(appId, { [api.resource]: 1, cpuMegacycles: api.megacyclesPerCall });
      try {
        return await withDeadline(this.#timers, api, method, context, (bounded) => handle(payload, bounded));
      } catch (error) {
        result = error instanceof PlatformError ? error.code : 'INTERNAL';
        throw error;
      } finally {
        leave();
        observer?.end(api.name, method, begunMs, result);
      }
    };
  }

  #enter({ name }: ApiService, appId: string): () => void {
    const key = `${appId} ${name}`;
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

/** Ends the caller's wait at the deadline, and tells the handler through its signal. Zero: the service bounds itself. */
function withDeadline(
  timers: Timers,
  { name, deadlineMs }: ApiService,
  method: string,
  context: CallContext,
  call: (context: CallContext) => unknown,
): unknown {
  if (deadlineMs === 0) return call(context);
  return new Promise((resolve, reject) => {
    const abort = new AbortController();
    const onAbort = (): void => {
      abort.abort(context.signal.reason);
    };
    const cancel = timers.after(deadlineMs, () => {
      const late = new PlatformError('DEADLINE_EXCEEDED', `${name}.${method} took longer than ${deadlineMs} ms`);
      reject(late);
      abort.abort(late);
    });
    context.signal.addEventListener('abort', onAbort, { once: true });
    Promise.resolve()
      .then(() => call({ ...context, signal: abort.signal }))
      .then(resolve, reject)
      .finally(() => {
        cancel();
        context.signal.removeEventListener('abort', onAbort);
      });
  });
}
