// The one path of every call that an instance makes: socket → this table → service → backend port.
// A service says what it is in an ApiService; limits, quota and metering around each call are the same for all, here.
// Read next: call-passage.ts for what surrounds each call, ../services/ for the services, ../platform/ for who joins them.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type CallContext, type MethodHandler, type Service } from '../../sdk/contract/wire/service.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import { type InstanceView } from '../host/instance.ts';
import { type CallPassage, type CallTerms } from './call-passage.ts';

/** Who calls. The socket is the identity: nothing here comes from the app. */
export type ApiCaller = Pick<InstanceView, 'id' | 'appId' | 'service' | 'version'>;

/** A service that apps may call. One for the platform; `serviceOf` is asked once for each instance. */
export interface ApiService extends CallTerms {
  /** How long one call may take before it ends with DEADLINE_EXCEEDED; zero where the service bounds itself. */
  readonly deadlineMs: number;
  readonly serviceOf: (caller: ApiCaller) => Service;
}

export class ServiceTable {
  readonly #services: readonly ApiService[];
  readonly #passage: CallPassage;
  readonly #timers: Timers;

  constructor(services: readonly ApiService[], passage: CallPassage, timers: Timers) {
    this.#services = services;
    this.#passage = passage;
    this.#timers = timers;
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

  #guarded(api: ApiService, method: string, { appId }: ApiCaller, handle: MethodHandler): MethodHandler {
    return (payload, context) =>
      this.#passage.around(api, method, appId, () =>
        withDeadline(this.#timers, api, method, context, (bounded) => handle(payload, bounded)),
      );
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
