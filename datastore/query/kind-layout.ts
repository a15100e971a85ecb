// Which kinds were seen lying between entities of other kinds. Only a hint for how to read them: wrong, it costs one chunk.

const KINDS_MAX = 10_000;

export class KindLayout {
  readonly #scattered = new Set<string>();

  isScattered(kindPrefix: Buffer): boolean {
    return this.#scattered.has(kindPrefix.toString('latin1'));
  }

  noteScattered(kindPrefix: Buffer): void {
    if (this.#scattered.size >= KINDS_MAX) this.#scattered.clear();
    this.#scattered.add(kindPrefix.toString('latin1'));
  }
}
