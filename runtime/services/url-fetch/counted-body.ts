import { Transform, type TransformCallback } from 'node:stream';
import { type PlatformError } from '../../../sdk/contract/errors.ts';

/** Passes bytes on, counts them, and fails with `tooLarge` as soon as there are more than `bytesMax`. */
export class CountedBody extends Transform {
  readonly #bytesMax: number;
  readonly #tooLarge: () => PlatformError;
  bytes = 0;

  constructor(bytesMax: number, tooLarge: () => PlatformError) {
    super();
    this.#bytesMax = bytesMax;
    this.#tooLarge = tooLarge;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.bytes += chunk.length;
    if (this.bytes > this.#bytesMax) callback(this.#tooLarge());
    else callback(null, chunk);
  }
}
