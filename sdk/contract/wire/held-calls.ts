// How much memory the calls of one peer may hold: one count over all its connections, so that more connections or larger
// frames buy it nothing. Full means that its next calls are not read until some are answered; nobody else waits.

export class HeldCalls {
  readonly #bytesMax: number;
  readonly #waiting = new Set<() => void>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isFull(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Gives back what `add` took, and wakes who waits when there is room again. */
  remove(bytes: number): void {
    this.#bytes -= bytes;
    if (this.isFull) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Calls `wake` once there is room. */
  whenRoom(wake: () => void): void {
    this.#waiting.add(wake);
  }

  /** Takes a waiting one out, for a connection that closes. */
  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
