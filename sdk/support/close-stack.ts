/** Undoes a start in reverse order, once. Every `start()` pushes what its `close()` must undo. */
export class CloseStack {
  #undo: (() => void | Promise<void>)[] = [];
  #closing: Promise<void> | undefined;

  defer(undo: () => void | Promise<void>): void {
    this.#undo.push(undo);
  }

  /** Runs every deferred undo, newest first; all run even if some throw, then the first error is thrown. */
  close(): Promise<void> {
    this.#closing ??= this.#run();
    return this.#closing;
  }

  async #run(): Promise<void> {
    const errors: unknown[] = [];
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
