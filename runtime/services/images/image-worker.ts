// Who decodes pictures: never the control process, because decoders of hostile bytes go wrong.
// Adapters: ../../backends/image-worker-sandbox.ts, image-worker-memory.ts.
import { type ImageMetadata, type ImageOutput, type ImageTransform, type TransformedImage } from '../../../sdk/contract/services/images.ts';

/** What to do with the bytes, checked by transform-check.ts. */
export interface TransformWork {
  readonly transforms: readonly ImageTransform[];
  readonly output: ImageOutput;
  readonly correctOrientation: boolean;
}

export interface ImageWorkOptions {
  /** A call that waits leaves the queue; one that is at work goes on, and its outcome is dropped. */
  readonly signal: AbortSignal;
}

/**
 * Throws IMAGE_INVALID, IMAGE_TOO_LARGE, IMAGE_TRANSFORM_INVALID (about the picture at hand), IMAGE_WORKER_FAILED when
 * the work brought the worker down, DEADLINE_EXCEEDED, RPC_OVERLOADED when too much waits. The next call works again.
 */
export interface ImageWorker {
  transform(appId: string, image: Uint8Array, work: TransformWork, options: ImageWorkOptions): Promise<TransformedImage>;
  metadata(appId: string, image: Uint8Array, correctOrientation: boolean, options: ImageWorkOptions): Promise<ImageMetadata>;
}
