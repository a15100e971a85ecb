// Who watches the instances of a host: each watcher first gets the whole truth, then every change, in order.
import { type InstanceView } from './instance.ts';

export interface InstanceWatchListener {
  readonly onReset: () => void;
  readonly onChange: (view: InstanceView) => void;
  /** The memory for instances is nearly used up. */
  readonly onPressure?: () => void;
}

/** Shared by every InstanceHost, so that they agree on what a watcher sees. Listeners must not throw. */
export class InstanceWatchers {
  readonly #views: () => Iterable<InstanceView>;
  readonly #listeners = new Set<InstanceWatchListener>();

  /** `views` gives every instance that has not exited. */
  constructor(views: () => Iterable<InstanceView>) {
    this.#views = views;
  }

  /** Tells `listener` what is there before it returns; what it returned ends the watch. */
  add(listener: InstanceWatchListener): () => void {
    const own: InstanceWatchListener = { ...listener };
    this.#listeners.add(own);
    this.#tellAll(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  notify(view: InstanceView): void {
    for (const listener of [...this.#listeners]) listener.onChange(view);
  }

  press(): void {
    for (const listener of [...this.#listeners]) listener.onPressure?.();
  }

  /** Gives every listener the whole truth again, onReset first. */
  reset(): void {
    for (const listener of [...this.#listeners]) this.#tellAll(listener);
  }

  #tellAll(listener: InstanceWatchListener): void {
    listener.onReset();
    for (const view of [...this.#views()]) listener.onChange(view);
  }
}
