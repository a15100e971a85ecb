// Real image workers over a real host, for suites that decode pictures.
import { join } from 'node:path';
import { SandboxImageWorker, type SandboxImageWorkerOptions } from '../../runtime/backends/image-worker-sandbox.ts';
import { type InstanceHost, type InstanceSpec, type InstanceView } from '../../runtime/host/instance.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { HostFixture } from './host-fixture.ts';

export class ImageFixture {
  readonly worker: SandboxImageWorker;
  readonly host: HostFixture;
  readonly codeDirectory: string;
  readonly #closing: CloseStack;
  #line: HostLine | undefined;

  private constructor(host: HostFixture, codeDirectory: string, closing: CloseStack, options: Partial<SandboxImageWorkerOptions>) {
    this.host = host;
    this.codeDirectory = codeDirectory;
    this.#closing = closing;
    this.worker = this.another(options);
  }

  static async open(kind: 'bubblewrap' | 'process', options: Partial<SandboxImageWorkerOptions> = {}): Promise<ImageFixture> {
    const closing = new CloseStack();
    const host = await HostFixture.open(kind);
    closing.defer(() => host.close());
    const codeDirectory = join(host.directory, 'image-worker', 'code');
    // Plain JavaScript, because it runs before anything is built.
    const setup = (await import(join(import.meta.dirname, '../../runtime/setup/image-worker.mjs'))) as {
      bundleImageWorker(directory: string): Promise<void>;
    };
    await setup.bundleImageWorker(codeDirectory);
    return new ImageFixture(host, codeDirectory, closing, options);
  }

  /** A new one over the same host; the one before hears and says nothing any more, as if its process had been killed. */
  another(options: Partial<SandboxImageWorkerOptions> = {}): SandboxImageWorker {
    this.#line?.cut();
    this.#line = new HostLine(this.host.host);
    const worker = new SandboxImageWorker(this.#line, systemTimers, new MemoryLog(), { codeDirectory: this.codeDirectory, ...options });
    worker.start();
    this.#closing.defer(() => worker.close());
    return worker;
  }

  /** Instances that the host runs now. */
  async instances(): Promise<readonly string[]> {
    return (await this.host.host.list()).filter(({ state }) => state !== 'stopping').map(({ id }) => id);
  }

  close(): Promise<void> {
    return this.#closing.close();
  }
}

/** The way to a host, which can be cut. */
class HostLine implements InstanceHost {
  readonly #host: InstanceHost;
  #stopWatching: () => void = () => undefined;
  #isCut = false;

  constructor(host: InstanceHost) {
    this.#host = host;
  }

  cut(): void {
    this.#isCut = true;
    this.#stopWatching();
  }

  start(spec: InstanceSpec): Promise<{ readonly id: string }> {
    return this.#isCut ? new Promise(() => undefined) : this.#host.start(spec);
  }

  stop(id: string, options: { readonly graceMs: number }): Promise<void> {
    return this.#isCut ? Promise.resolve() : this.#host.stop(id, options);
  }

  capacity(): ReturnType<InstanceHost['capacity']> {
    return this.#host.capacity();
  }

  list(): Promise<readonly InstanceView[]> {
    return this.#host.list();
  }

  watch(listener: Parameters<InstanceHost['watch']>[0]): () => void {
    return (this.#stopWatching = this.#host.watch(listener));
  }
}
