// Joins single reads made in one turn into few getMany calls: crossing into a worker thread costs more than a read from
// the cache. Chunks stay small, so that reads from a cold disk still go to several threads.

type ReadMany = (keys: readonly Buffer[]) => Promise<readonly (Buffer | undefined)[]>;

interface Waiting {
  readonly key: Buffer;
  readonly resolve: (value: Buffer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

const CHUNK_KEYS = 16;

export class ReadCoalescer {
  readonly #readMany: ReadMany;
  #waiting: Waiting[] = [];

  constructor(readMany: ReadMany) {
    this.#readMany = readMany;
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < waiting.length; at += CHUNK_KEYS) void this.#read(waiting.slice(at, at + CHUNK_KEYS));
  }

  async #read(chunk: readonly Waiting[]): Promise<void> {
    try {
      const values = await this.#readMany(chunk.map(({ key }) => key));
      chunk.forEach(({ resolve }, at) => {
        resolve(values[at]);
      });
    } catch (error) {
      for (const { reject } of chunk) reject(error);
    }
  }
}
