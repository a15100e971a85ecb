// The host as RPC service `host`, and its client. The host outlives the roles that call it, and they outlive it.
import { z } from 'zod';
import { assert } from '../../sdk/support/assert.ts';
import { sleep, type Timers } from '../../sdk/support/clock.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { type CallContext, method, type Service } from '../../sdk/contract/wire/service.ts';
import { type BuildHost, type BuildResult, type BuildSpec } from './build.ts';
import { type InstanceWatchListener } from './instance-watchers.ts';
import { type HostCapacity, type InstanceHost, type InstanceSpec, type InstanceView } from './instance.ts';

const HOST_SERVICE = 'host';
/** Between two attempts to watch again; while nobody listens, the client's own back-off waits too. */
const WATCH_AGAIN_MS = 50;

const count = z.number().nonnegative();
const variables = z.record(
  z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/),
  z.string().refine((text) => !text.includes('\0'), 'has a NUL'),
);
const command = z.array(z.string().refine((text) => !text.includes('\0'), 'has a NUL')).min(1);

const instanceSpec: z.ZodType<InstanceSpec> = z.strictObject({
  appId: z.string(),
  service: z.string(),
  version: z.string(),
  deploymentId: z.string(),
  codeDirectory: z.string(),
  command,
  environment: variables,
  runtime: z.string().exactOptional(),
  memoryBytesMax: z.number().positive(),
  instanceClass: z.string().exactOptional(),
  pidsMax: z.number().positive(),
  tmpBytesMax: z.number().positive(),
  cpuWeight: z.number().positive(),
  readyMsMax: z.number().positive(),
});

const buildSpec: z.ZodType<BuildSpec> = z.strictObject({
  appId: z.string(),
  directory: z.string(),
  command,
  environment: variables,
  runtime: z.string().exactOptional(),
  memoryBytesMax: z.number().positive(),
  timeoutMs: z.number().positive(),
});

const instanceView: z.ZodType<InstanceView> = z.object({
  id: z.string(),
  appId: z.string(),
  service: z.string(),
  version: z.string(),
  deploymentId: z.string(),
  state: z.enum(['starting', 'ready', 'stopping', 'exited']),
  pid: z.number().exactOptional(),
  socketDirectory: z.string(),
  startedAtMs: z.number(),
  phases: z.object({
    spawnMs: z.number().exactOptional(),
    runtimeMs: z.number().exactOptional(),
    loadMs: z.number().exactOptional(),
    readyMs: z.number().exactOptional(),
  }),
  cpuMicros: count.exactOptional(),
  memoryBytes: count.exactOptional(),
  memoryBytesMax: count.exactOptional(),
  exit: z
    .object({
      code: z.number().nullable(),
      signal: z.string().nullable(),
      reason: z.string(),
      errorCode: z.enum(['INSTANCE_EXITED', 'INSTANCE_NEVER_LISTENED', 'INSTANCE_SPAWN_FAILED']),
      stderrTail: z.string(),
    })
    .exactOptional(),
});

const hostCapacity: z.ZodType<HostCapacity> = z.object({
  instances: count,
  instancesMax: count,
  memory: z.object({ budgetBytes: count, usedBytes: count, committedBytes: count }).exactOptional(),
});

const buildResult: z.ZodType<BuildResult> = z.object({
  code: z.number().nullable(),
  signal: z.string().nullable(),
  reason: z.string(),
  cpuMicros: count.exactOptional(),
});

const nothing = z.object({});
const started = z.object({ id: z.string() });
const stopRequest = z.object({ id: z.string(), graceMs: count });
const outputLine = z.object({ line: z.string() });
const watchEvent = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('reset') }),
  z.object({ kind: z.literal('change'), view: instanceView }),
  z.object({ kind: z.literal('pressure') }),
]);
type WatchEvent = z.infer<typeof watchEvent>;

/** Serves `host` to the other roles. The caller starts and closes `host`. */
export function hostService(host: InstanceHost & BuildHost): Service {
  return {
    name: HOST_SERVICE,
    methods: {
      start: method(instanceSpec, (spec) => host.start(spec)),
      stop: method(stopRequest, async ({ id, graceMs }) => {
        await host.stop(id, { graceMs });
        return {};
      }),
      capacity: method(nothing, () => host.capacity()),
      list: method(nothing, () => host.list()),
      watch: method(nothing, (_, context) => serveWatch(host, context)),
      build: method(buildSpec, (spec, context) => serveBuild(host, spec, context)),
    },
  };
}

/** Never ends by itself: the caller cancels, or falls behind and gets RPC_OVERLOADED. */
async function serveWatch(host: InstanceHost, { signal, emit }: CallContext): Promise<unknown> {
  const events: WatchEvent[] = [];
  let wake = (): void => undefined;
  const push = (event: WatchEvent): void => {
    events.push(event);
    wake();
  };
  const end = host.watch({
    onReset: () => {
      push({ kind: 'reset' });
    },
    onChange: (view) => {
      push({ kind: 'change', view });
    },
    onPressure: () => {
      push({ kind: 'pressure' });
    },
  });
  signal.addEventListener('abort', () => {
    wake();
  });
  try {
    for (;;) {
      if (signal.aborted) return {};
      if (events.length > LIMITS.hostWatchEventsMax) throw new PlatformError('RPC_OVERLOADED', 'the watcher is too slow');
      const event = events.shift();
      if (event) await emit(event);
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    end();
  }
}

async function serveBuild(host: BuildHost, spec: BuildSpec, { signal, emit }: CallContext): Promise<BuildResult> {
  let sent = Promise.resolve();
  const result = await host.build(spec, {
    signal,
    onOutput: (line) => {
      sent = sent.then(() => emit({ line }));
    },
  });
  await sent;
  return result;
}

/** The host of another process. A watch outlives lost connections and restarts of the host: onReset tells. */
export class RpcInstanceHost implements InstanceHost, BuildHost {
  readonly #rpc: Rpc;
  readonly #timers: Timers;

  constructor(rpc: Rpc, timers: Timers) {
    this.#rpc = rpc;
    this.#timers = timers;
  }

  async start(spec: InstanceSpec): Promise<{ readonly id: string }> {
    return started.parse(await this.#rpc.call(HOST_SERVICE, 'start', spec));
  }

  async stop(id: string, { graceMs }: { readonly graceMs: number }): Promise<void> {
    await this.#rpc.call(HOST_SERVICE, 'stop', { id, graceMs }, { idempotent: true });
  }

  async capacity(): Promise<HostCapacity> {
    return hostCapacity.parse(await this.#rpc.call(HOST_SERVICE, 'capacity', {}, { idempotent: true }));
  }

  async list(): Promise<readonly InstanceView[]> {
    return z.array(instanceView).parse(await this.#rpc.call(HOST_SERVICE, 'list', {}, { idempotent: true }));
  }

  watch(listener: InstanceWatchListener): () => void {
    const abort = new AbortController();
    void this.#watchUntil(abort.signal, listener);
    return () => {
      abort.abort(new PlatformError('CANCELLED'));
    };
  }

  async build(
    spec: BuildSpec,
    { onOutput, signal }: { readonly onOutput: (line: string) => void; readonly signal?: AbortSignal },
  ): Promise<BuildResult> {
    const result = await this.#rpc.call(HOST_SERVICE, 'build', spec, {
      // The host holds the build to its own time limit, and a build may wait for its turn.
      deadlineMs: 0,
      onEvent: (event) => {
        onOutput(outputLine.parse(event).line);
      },
      ...(signal ? { signal } : {}),
    });
    return buildResult.parse(result);
  }

  async #watchUntil(signal: AbortSignal, listener: InstanceWatchListener): Promise<void> {
    const onEvent = (payload: unknown): void => {
      if (signal.aborted) return;
      const event = watchEvent.parse(payload);
      if (event.kind === 'reset') listener.onReset();
      else if (event.kind === 'pressure') listener.onPressure?.();
      else listener.onChange(event.view);
    };
    while (!isAborted(signal)) {
      try {
        await this.#rpc.call(HOST_SERVICE, 'watch', {}, { deadlineMs: 0, onEvent, signal });
      } catch (error) {
        assert(error instanceof Error, 'errors are thrown as errors');
      }
      if (!isAborted(signal)) await sleep(this.#timers, WATCH_AGAIN_MS, { signal }).catch(() => undefined);
    }
  }
}

/** A call, so that the compiler does not take what it knew before an `await` for what is. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
