import {
  type ImageMetadata,
  type ImageMetadataCall,
  type ImageOutput,
  IMAGES_SERVICE,
  type ImageTransform,
  type ImageTransformCall,
  type TransformedImage,
} from '../contract/services/images.ts';
import { type Rpc } from '../contract/wire/client.ts';

export interface ImageOptions {
  /** Turns the picture as its EXIF data says before anything else. Default false, as App Engine's. */
  readonly correctOrientation?: boolean;
}

/** Longer than the platform takes at most: waiting, starting a worker, and working. */
const DEADLINE_MS = 90_000;

/** App Engine's images: the bytes of a picture in, the bytes of another out. */
export class ImagesClient {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  /** Applies up to ten transforms in their order. Of an animation the first picture is taken. Throws IMAGE_*. */
  async transform(
    image: Uint8Array,
    transforms: readonly ImageTransform[],
    options: ImageOptions & Partial<ImageOutput> = {},
  ): Promise<TransformedImage> {
    const { correctOrientation = false, format = 'png', quality } = options;
    const output: ImageOutput = { format, ...(quality === undefined ? {} : { quality }) };
    const call: ImageTransformCall = { image, transforms, output, correctOrientation };
    return (await this.#call('transform', call)) as TransformedImage;
  }

  /** What the picture says of itself, without decoding it. Throws IMAGE_*. */
  async metadata(image: Uint8Array, { correctOrientation = false }: ImageOptions = {}): Promise<ImageMetadata> {
    const call: ImageMetadataCall = { image, correctOrientation };
    return (await this.#call('metadata', call)) as ImageMetadata;
  }

  #call(method: string, payload: object): Promise<unknown> {
    return this.#rpc.call(IMAGES_SERVICE, method, payload, { idempotent: true, deadlineMs: DEADLINE_MS });
  }
}
