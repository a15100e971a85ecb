// Sandboxes prepared ahead of time, so that a start does not wait for them.
//
// What instances of one app share is made with the group of the first: the group in which a spare waits becomes the app's. A
// second instance must lie beside it, so its spare waits without a group and joins when it is asked for. That takes 10 to 20 ms,
// while the first one serves.
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
  readonly #withoutGroup: PreparedSandbox[] = [];
  #closed = false;

  /** Of each kind `count`. */
  constructor(sandbox: Sandbox, resources: ResourceControl, random: Random, options: { readonly count: number }) {
    this.#sandbox = sandbox;
    this.#resources = resources;
    this.#random = random;
    this.#count = options.count;
  }

  /** The oldest spare, or a new one; with `sibling`, another instance's group, one that shares what that one shares. */
  take(sibling?: ResourceGroup): SpareSandbox {
    return sibling === undefined ? (this.#spares.shift() ?? this.#join()) : this.#join(sibling);
  }

  /** Prepares one more if any is missing: called when no start is under way, so that it takes no time from one. */
  refill(): void {
    if (this.#closed) return;
    if (this.#spares.length < this.#count) this.#spares.push(this.#join());
    else if (this.#withoutGroup.length < this.#count) this.#withoutGroup.push(this.#sandbox.prepare());
  }

  /** Prepares all that are missing. */
  fill(): void {
    for (let missing = 2 * this.#count; missing > 0; missing--) this.refill();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const spares = this.#spares.splice(0);
    const all = [...spares.map(({ prepared }) => prepared), ...this.#withoutGroup.splice(0)];
    await Promise.all(all.map((prepared) => prepared.discard()));
    await Promise.all(spares.map(({ group }) => group.close()));
  }

  #join(sibling?: ResourceGroup): SpareSandbox {
    const id = this.#random.bytes(6).toString('hex');
    const group = this.#resources.create(id, sibling);
    const prepared = this.#withoutGroup.shift() ?? this.#sandbox.prepare();
    prepared.join(group);
    return { id, group, prepared };
  }
}
