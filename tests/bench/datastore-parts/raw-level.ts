// LevelDB with group commit and nothing else: what any layer above has to be measured against.
import { ClassicLevel } from 'classic-level';
import { type Row } from './items.ts';

const MiB = 1024 * 1024;

export class RawLevel {
  readonly level: ClassicLevel<Buffer, Buffer>;
  #waiting: { readonly rows: readonly Row[]; readonly resolve: () => void; readonly reject: (cause: unknown) => void }[] = [];
  #writing = false;

  constructor(folder: string) {
    this.level = new ClassicLevel<Buffer, Buffer>(folder, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: 64 * MiB,
      writeBufferSize: 16 * MiB,
      maxFileSize: 8 * MiB,
    });
  }

  /** Resolves when the rows are durable. */
  put(rows: readonly Row[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ rows, resolve, reject });
      if (this.#writing) return;
      this.#writing = true;
      queueMicrotask(() => void this.#pump());
    });
  }

  /** `count` rows from `key` on, below `end`. */
  async scan(key: Buffer, end: Buffer, count: number): Promise<void> {
    const iterator = this.level.iterator({ gte: key, lt: end, limit: count, highWaterMarkBytes: MiB });
    await iterator.nextv(count);
    await iterator.close();
  }

  async #pump(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        const batch = this.level.batch();
        for (const { rows } of group) for (const { key, value } of rows) batch.put(key, value);
        await batch.write({ sync: true });
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#writing = false;
  }
}
