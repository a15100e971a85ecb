// The image worker's twin for tests: it reads the head of a PNG, plans what it is asked, and gives the same bytes back.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type ImageMetadata, type TransformedImage } from '../../sdk/contract/services/images.ts';
import { type ImageWorker, type TransformWork } from '../services/images/image-worker.ts';
import { planSteps } from './image-worker/transform-plan.ts';

const PNG_HEAD = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const COLOUR_TYPE_ALPHA = 4;

export class MemoryImageWorker implements ImageWorker {
  async transform(appId: string, image: Uint8Array, { transforms, output }: TransformWork): Promise<TransformedImage> {
    const { size } = planSteps(await this.metadata(appId, image), transforms);
    return { image, format: output.format, ...size };
  }

  metadata(_appId: string, image: Uint8Array): Promise<ImageMetadata> {
    const bytes = Buffer.from(image);
    if (bytes.length < 26 || !bytes.subarray(0, PNG_HEAD.length).equals(PNG_HEAD)) {
      return Promise.reject(new PlatformError('IMAGE_INVALID', 'it is no PNG'));
    }
    const [width, height, colourType] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes.readUInt8(25)];
    return Promise.resolve({ format: 'png', width, height, frames: 1, orientation: 1, hasAlpha: (colourType & COLOUR_TYPE_ALPHA) !== 0 });
  }
}
