// The service `images`: what an app asks is checked here, what a picture holds is looked at by the worker alone.
import { z } from 'zod';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { IMAGES_SERVICE } from '../../../sdk/contract/services/images.ts';
import { method } from '../../../sdk/contract/wire/service.ts';
import { type ApiService } from '../../api/service-table.ts';
import { type ImageWorker } from './image-worker.ts';
import { checkTransforms } from './transform-check.ts';

/** Waiting for a worker and its start come on top of the work itself. */
const DEADLINE_MS = 2 * LIMITS.imageWorkMs;

const image = z.instanceof(Uint8Array);
const transform = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('resize'),
    width: z.number().exactOptional(),
    height: z.number().exactOptional(),
    cropToFit: z.boolean().exactOptional(),
    cropOffsetX: z.number().exactOptional(),
    cropOffsetY: z.number().exactOptional(),
    allowStretch: z.boolean().exactOptional(),
  }),
  z.strictObject({ kind: z.literal('crop'), left: z.number(), top: z.number(), right: z.number(), bottom: z.number() }),
  z.strictObject({ kind: z.literal('rotate'), degrees: z.number() }),
  z.strictObject({ kind: z.literal('horizontalFlip') }),
  z.strictObject({ kind: z.literal('verticalFlip') }),
  z.strictObject({ kind: z.literal('autolevels') }),
]);
const transformCall = z.strictObject({
  image,
  transforms: z.array(transform),
  output: z.strictObject({ format: z.enum(['jpeg', 'png', 'webp']), quality: z.number().exactOptional() }),
  correctOrientation: z.boolean(),
});
const metadataCall = z.strictObject({ image, correctOrientation: z.boolean() });

export function imagesApi(worker: ImageWorker): ApiService {
  return {
    name: IMAGES_SERVICE,
    resource: 'imagesCalls',
    // A photograph made smaller takes about a tenth of a second.
    megacyclesPerCall: 120,
    deadlineMs: DEADLINE_MS,
    serviceOf: ({ appId }) => ({
      name: IMAGES_SERVICE,
      methods: {
        transform: method(transformCall, ({ image: bytes, ...work }, { signal }) => {
          checkSize(bytes);
          checkTransforms(work.transforms, work.output);
          return worker.transform(appId, bytes, work, { signal });
        }),
        metadata: method(metadataCall, ({ image: bytes, correctOrientation }, { signal }) => {
          checkSize(bytes);
          return worker.metadata(appId, bytes, correctOrientation, { signal });
        }),
      },
    }),
  };
}

function checkSize({ byteLength }: Uint8Array): void {
  if (byteLength === 0) throw new PlatformError('IMAGE_INVALID', 'it has no bytes');
  if (byteLength <= LIMITS.imageBytesMax) return;
  throw new PlatformError('IMAGE_TOO_LARGE', `it has ${byteLength} bytes, at most ${LIMITS.imageBytesMax}`);
}
