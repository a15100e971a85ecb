// Image workers in sandboxes: instances of the platform itself, started on demand through the host and stopped when idle.
// A worker serves one app until another app needs its place, when it is started anew: a picture that took a decoder
// over gets to see no other app's pictures.
//
// States of a worker: starting → idle ⇄ busy → gone; starting, idle → gone.
import { join } from 'node:path';
import { type z } from 'zod';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type ImageMetadata, type TransformedImage } from '../../sdk/contract/services/images.ts';
import { assert } from '../../sdk/support/assert.ts';
import { type Cancel, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { APP_SOCKET, type InstanceHost, type InstanceSpec, type InstanceView } from '../host/instance.ts';
import { type ImageWorker, type ImageWorkOptions, type TransformWork } from '../services/images/image-worker.ts';
import { exchangeImageWork, type ImageWorkDone, metadataResult, transformResult } from './image-worker-exchange.ts';
import { type ImageWork } from './image-worker/message.ts';

export const IMAGE_WORKER_APP = '~images';

/** A broken connection means that the worker is dying; its exit says why. */
const EXIT_MS_MAX = 2_000;

export interface SandboxImageWorkerOptions {
  /** Made by setup/image-worker.mjs. */
  readonly codeDirectory: string;
  readonly workersMax?: number;
  readonly workMs?: number;
  readonly idleMs?: number;
  readonly memoryBytesMax?: number;
}

interface Job {
  readonly appId: string;
  readonly work: ImageWork;
  readonly image: Uint8Array;
  readonly resolve: (done: ImageWorkDone) => void;
  readonly reject: (error: Error) => void;
}

interface Worker {
  readonly appId: string;
  state: 'starting' | 'idle' | 'busy' | 'gone';
  /** Undefined until the host has answered. */
  id: string | undefined;
  socketPath: string | undefined;
  job: Job | undefined;
  cancel: Cancel | undefined;
}

export class SandboxImageWorker implements ImageWorker {
  readonly #host: InstanceHost;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #options: Required<SandboxImageWorkerOptions>;
  readonly #waiting: Job[] = [];
  readonly #workers = new Set<Worker>();
  /** Calls of each app that wait or are at work. */
  readonly #calls = new Map<string, number>();
  /** What the host runs for us, ours or left behind by a process before this one. */
  readonly #views = new Map<string, InstanceView>();
  #startsPending = 0;
  #stopWatching: (() => void) | undefined;
  #closed = false;

  constructor(host: InstanceHost, timers: Timers, log: Log, options: SandboxImageWorkerOptions) {
    this.#host = host;
    this.#timers = timers;
    this.#log = log;
    this.#options = {
      workersMax: LIMITS.imageWorkersMax,
      workMs: LIMITS.imageWorkMs,
      idleMs: LIMITS.imageWorkerIdleMs,
      memoryBytesMax: LIMITS.imageWorkerMemoryBytesMax,
      ...options,
    };
  }

  /** Follows the host. No worker is started before the first call. */
  start(): void {
    this.#stopWatching = this.#host.watch({
      onReset: () => {
        this.#views.clear();
        void this.#reconcile();
      },
      onChange: (view) => {
        if (view.appId === IMAGE_WORKER_APP) this.#onChange(view);
      },
    });
  }

  /** Refuses what waits and stops every worker. */
  close(): Promise<void> {
    this.#closed = true;
    this.#stopWatching?.();
    const closing = new PlatformError('IMAGE_WORKER_FAILED', 'the platform is stopping');
    for (const job of this.#waiting.splice(0)) job.reject(closing);
    for (const worker of [...this.#workers]) this.#end(worker, closing);
    return Promise.resolve();
  }

  async transform(appId: string, image: Uint8Array, work: TransformWork, options: ImageWorkOptions): Promise<TransformedImage> {
    const done = await this.#submit(appId, { kind: 'transform', ...work }, image, options);
    return { ...checked(transformResult, done), image: done.image };
  }

  async metadata(appId: string, image: Uint8Array, correctOrientation: boolean, options: ImageWorkOptions): Promise<ImageMetadata> {
    return checked(metadataResult, await this.#submit(appId, { kind: 'metadata', correctOrientation }, image, options));
  }

  async #submit(appId: string, work: ImageWork, image: Uint8Array, { signal }: ImageWorkOptions): Promise<ImageWorkDone> {
    const calls = this.#calls.get(appId) ?? 0;
    if (this.#closed) throw new PlatformError('IMAGE_WORKER_FAILED', 'the platform is stopping');
    if (calls >= LIMITS.imageCallsPerAppMax) throw new PlatformError('RPC_OVERLOADED', `the app has ${calls} calls of images under way`);
    if (this.#waiting.length >= LIMITS.imageCallsWaitingMax) throw new PlatformError('RPC_OVERLOADED', 'too many images wait for a worker');
    this.#calls.set(appId, calls + 1);
    let onAbort: () => void = () => undefined;
    try {
      return await new Promise((resolve, reject) => {
        const job: Job = { appId, work, image, resolve, reject };
        onAbort = () => {
          const index = this.#waiting.indexOf(job);
          if (index >= 0) this.#waiting.splice(index, 1);
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        this.#waiting.push(job);
        this.#pump();
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
      const left = (this.#calls.get(appId) ?? 1) - 1;
      if (left > 0) this.#calls.set(appId, left);
      else this.#calls.delete(appId);
    }
  }

  /** Gives the calls that wait, oldest first, to workers that are free or can be started. */
  #pump(): void {
    for (let job = this.#waiting[0]; job && !this.#closed; job = this.#waiting[0]) {
      const worker = this.#workerFor(job.appId);
      if (!worker) return;
      this.#waiting.shift();
      worker.cancel?.();
      worker.job = job;
      if (worker.state === 'idle') void this.#run(worker, job);
      else this.#start(worker);
    }
  }

  /** An idle one of this app, else a new one in a free place or in that of an idle one of another app. */
  #workerFor(appId: string): Worker | undefined {
    const idle = [...this.#workers].filter(({ state }) => state === 'idle');
    const own = idle.find((worker) => worker.appId === appId);
    if (own) return own;
    if (this.#workers.size >= this.#options.workersMax) {
      const [other] = idle;
      if (!other) return undefined;
      this.#end(other);
    }
    const worker: Worker = { appId, state: 'starting', id: undefined, socketPath: undefined, job: undefined, cancel: undefined };
    this.#workers.add(worker);
    return worker;
  }

  #start(worker: Worker): void {
    this.#startsPending++;
    worker.cancel = this.#timers.after(LIMITS.imageWorkerReadyMs, () => {
      this.#end(worker, new PlatformError('IMAGE_WORKER_FAILED', `it was not ready within ${LIMITS.imageWorkerReadyMs} ms`));
      this.#pump();
    });
    this.#host.start(specOf(this.#options)).then(
      ({ id }) => {
        this.#startsPending--;
        worker.id = id;
        // It took too long, or this is closing.
        if (worker.state === 'gone') void this.#host.stop(id, { graceMs: 0 });
        const view = this.#views.get(id);
        if (view) this.#follow(worker, view);
        this.#stopStrangers();
      },
      (error: unknown) => {
        this.#startsPending--;
        this.#lost(worker, error instanceof Error ? error.message : String(error));
      },
    );
  }

  async #run(worker: Worker, job: Job): Promise<void> {
    assert(worker.state === 'idle' && worker.socketPath !== undefined, 'work goes to a worker that is ready');
    worker.state = 'busy';
    const cancel = this.#timers.after(this.#options.workMs, () => {
      this.#end(worker, new PlatformError('DEADLINE_EXCEEDED', `the image took longer than ${this.#options.workMs} ms`));
      this.#pump();
    });
    try {
      job.resolve(await exchangeImageWork(worker.socketPath, job.work, job.image));
    } catch (error) {
      if (!(error instanceof PlatformError)) {
        this.#onBroken(worker, error);
        return;
      }
      job.reject(error);
    } finally {
      cancel();
    }
    this.#free(worker);
  }

  #free(worker: Worker): void {
    if (worker.state !== 'busy') return;
    worker.state = 'idle';
    worker.job = undefined;
    worker.cancel = this.#timers.after(this.#options.idleMs, () => {
      this.#end(worker);
    });
    this.#pump();
  }

  /** The connection broke, or what came over it makes no sense: the exit says why, if it comes. */
  #onBroken(worker: Worker, error: unknown): void {
    worker.cancel = this.#timers.after(EXIT_MS_MAX, () => {
      this.#lost(worker, error instanceof Error ? error.message : String(error));
    });
  }

  // --- What the host says ---------------------------------------------------------------------------------------------

  #onChange(view: InstanceView): void {
    this.#views.set(view.id, view);
    const worker = [...this.#workers].find(({ id }) => id === view.id);
    if (worker) this.#follow(worker, view);
    this.#stopStrangers();
  }

  #follow(worker: Worker, view: InstanceView): void {
    if (view.state === 'exited') this.#lost(worker, `it ${view.exit?.reason ?? 'exited'}`);
    if (view.state !== 'ready' || worker.state !== 'starting') return;
    worker.cancel?.();
    worker.state = 'idle';
    worker.socketPath = join(view.socketDirectory, APP_SOCKET);
    const { job } = worker;
    assert(job, 'a worker is started for a call');
    void this.#run(worker, job);
  }

  /** Those of a process before this one serve nobody. While a start is not answered, one of them may be ours. */
  #stopStrangers(): void {
    if (this.#startsPending > 0) return;
    const own = new Set([...this.#workers].map(({ id }) => id));
    for (const { id, state } of [...this.#views.values()]) {
      if (state === 'exited') this.#views.delete(id);
      else if (!own.has(id) && state !== 'stopping') void this.#host.stop(id, { graceMs: 0 }).catch(() => undefined);
    }
  }

  /** After a lost connection to the host: what it does not list has ended. */
  async #reconcile(): Promise<void> {
    const before = [...this.#workers].filter(({ id }) => id !== undefined);
    const listed = await this.#host.list().catch(() => undefined);
    // The watch starts anew when the host is back, and comes here again.
    if (listed === undefined) return;
    for (const worker of before) if (!listed.some(({ id }) => id === worker.id)) this.#lost(worker, 'it is gone, as the host says');
  }

  // --- Ending ---------------------------------------------------------------------------------------------------------

  #lost(worker: Worker, why: string): void {
    if (worker.state === 'gone') return;
    this.#log.warn('An image worker failed', { instanceId: worker.id ?? '', why, forApp: worker.appId });
    this.#end(worker, new PlatformError('IMAGE_WORKER_FAILED', why));
    this.#pump();
  }

  /** Gives up its place, and its call when it has one. */
  #end(worker: Worker, error?: PlatformError): void {
    if (worker.state === 'gone') return;
    worker.state = 'gone';
    worker.cancel?.();
    this.#workers.delete(worker);
    if (error) worker.job?.reject(error);
    if (worker.id !== undefined) void this.#host.stop(worker.id, { graceMs: 0 }).catch(() => undefined);
  }
}

function specOf({ codeDirectory, memoryBytesMax }: Required<SandboxImageWorkerOptions>): InstanceSpec {
  return {
    appId: IMAGE_WORKER_APP,
    service: 'default',
    version: 'worker',
    deploymentId: 'image-worker',
    codeDirectory,
    command: ['node', 'worker.js'],
    // libvips would put large pictures into files, and /tmp counts as memory all the same.
    environment: { VIPS_DISC_THRESHOLD: '4g', UV_THREADPOOL_SIZE: '2' },
    memoryBytesMax,
    pidsMax: LIMITS.imageWorkerPidsMax,
    tmpBytesMax: LIMITS.imageWorkerTmpBytesMax,
    // Apps come first: half of what the smallest has.
    cpuWeight: 0.5,
    readyMsMax: LIMITS.imageWorkerReadyMs,
  };
}

function checked<T>(schema: z.ZodType<T>, { result }: ImageWorkDone): T {
  const parsed = schema.safeParse(result);
  if (parsed.success) return parsed.data;
  throw new PlatformError('IMAGE_WORKER_FAILED', 'its answer makes no sense');
}
