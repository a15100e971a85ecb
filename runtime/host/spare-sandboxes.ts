// Sandboxes prepared ahead of time, each in a resource group of its own, so that a start does not wait for them.
//
// What instances of one app share is made with the group of the first: a spare's own becomes the app's. A second instance
// must lie beside it, where no spare waits, so it is prepared when it is asked for; that takes 10 to 20 ms more, while the
// first one serves.
import { type Random } from '../../sdk/support/clock.ts';
import { type PreparedSandbox, type Sandbox } from '../sandbox/port.ts';
import { type ResourceControl, type ResourceGroup } from '../sandbox/resource-control.ts';

export interface SpareSandbox {
  /** Becomes the instance's id: 12 lower-case hexadecimal digits. */
  readonly id: string;
  readonly group: ResourceGroup;
  readonly prepared: PreparedSandbox;
}

export class SpareSandboxes {
  readonly #sandbox: Sandbox;
  readonly #resources: ResourceControl;
  readonly #random: Random;
  readonly #count: number;
  readonly #spares: SpareSandbox[] = [];
  #closed = false;

  constructor(sandbox: Sandbox, resources: ResourceControl, random: Random, options: { readonly count: number }) {
    this.#sandbox = sandbox;
    this.#resources = resources;
    this.#random = random;
    this.#count = options.count;
  }

  /** The oldest spare, or a new one; with `sibling`, another instance's group, one that shares what that one shares. */
  take(sibling?: ResourceGroup): SpareSandbox {
    return sibling === undefined ? (this.#spares.shift() ?? this.#prepare()) : this.#prepare(sibling);
  }

  /** Prepares one more if any is missing: called when no start is under way, so that it takes no time from one. */
  refill(): void {
    if (!this.#closed && this.#spares.length < this.#count) this.#spares.push(this.#prepare());
  }

  async close(): Promise<void> {
    this.#closed = true;
    const spares = this.#spares.splice(0);
    for (const { prepared } of spares) prepared.discard();
    await Promise.all(spares.map(({ group }) => group.close()));
  }

  #prepare(sibling?: ResourceGroup): SpareSandbox {
    const id = this.#random.bytes(6).toString('hex');
    const group = this.#resources.create(id, sibling);
    return { id, group, prepared: this.#sandbox.prepare(group) };
  }
}
