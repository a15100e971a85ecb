// Which commits have been submitted and not yet counted. Whoever counts rows by reading them must know: what it read may or
// may not have had those.

interface Epoch {
  commits: number;
  onEmpty?: () => void;
}

export class CommitsUnderWay {
  #epoch: Epoch = { commits: 0 };
  #older: Promise<unknown> = Promise.resolve();

  /** Call it in the turn of the submission, and what it returns when the commit is counted or has failed. */
  begin(): () => void {
    const epoch = this.#epoch;
    epoch.commits++;
    return () => {
      if (--epoch.commits === 0) epoch.onEmpty?.();
    };
  }

  /** Resolves when every commit submitted before this call is counted; later ones are not waited for. */
  settled(): Promise<unknown> {
    const epoch = this.#epoch;
    if (epoch.commits === 0) return this.#older;
    this.#epoch = { commits: 0 };
    const empty = new Promise<void>((resolve) => {
      epoch.onEmpty = resolve;
    });
    this.#older = Promise.all([this.#older, empty]);
    return this.#older;
  }
}
