import { type BenchApp } from './bench-app.ts';

const LOOK_MS = 100;

export interface InstanceCurve {
  /** Instances that were started while it watched. */
  readonly starts: number;
  readonly most: number;
  /** `0.0 s 1, 0.4 s 3`: each change of the number of instances. */
  readonly text: string;
}

/** Looks at an app's instances ten times a second, until it is told to stop. */
export class InstanceWatch {
  readonly #app: BenchApp;
  readonly #seen = new Set<string>();
  readonly #changes: { readonly atMs: number; readonly count: number }[] = [];
  readonly #startMs = performance.now();
  readonly #loop: Promise<void>;
  #isStopped = false;

  constructor(app: BenchApp) {
    this.#app = app;
    this.#loop = this.#watch();
  }

  async stop(): Promise<InstanceCurve> {
    this.#isStopped = true;
    await this.#loop;
    return {
      starts: this.#seen.size,
      most: Math.max(0, ...this.#changes.map(({ count }) => count)),
      text: this.#changes.map(({ atMs, count }) => `${(atMs / 1_000).toFixed(1)} s ${count}`).join(', '),
    };
  }

  async #watch(): Promise<void> {
    const before = new Set((await this.#app.instances()).map(({ id }) => id));
    while (!this.#isStopped) {
      const instances = await this.#app.instances();
      for (const { id } of instances) if (!before.has(id)) this.#seen.add(id);
      if (instances.length !== this.#changes.at(-1)?.count) {
        this.#changes.push({ atMs: performance.now() - this.#startMs, count: instances.length });
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
