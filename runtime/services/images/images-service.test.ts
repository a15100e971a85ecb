import { expect, test } from 'vitest';
import { ImagesClient } from '../../../sdk/client/images.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type ImageTransform } from '../../../sdk/contract/services/images.ts';
import { InProcessRpc } from '../../../sdk/contract/wire/client.ts';
import { VirtualTime } from '../../../sdk/support/virtual-time.ts';
import { MemoryUsageMeter, OPEN_GATE } from '../../api/usage-meter.ts';
import { CallPassage } from '../../api/call-passage.ts';
import { ServiceTable } from '../../api/service-table.ts';
import { MemoryImageWorker } from '../../backends/image-worker-memory.ts';
import { imagesApi } from './images-service.ts';

const meter = new MemoryUsageMeter();
const time = new VirtualTime();
const table = new ServiceTable([imagesApi(new MemoryImageWorker())], new CallPassage(OPEN_GATE, meter), time);
const rpc = new InProcessRpc(table.servicesOf({ id: '1', appId: 'hello', service: 'default', version: 'v1' }), time);
const images = new ImagesClient(rpc);

/** The head of a PNG of 40 x 20 pixels. */
const picture = Buffer.concat([
  Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
  Buffer.from([0, 0, 0, 40, 0, 0, 0, 20, 8, 2, 0, 0, 0]),
]);

test('a picture goes through the table to the worker and back, and is counted', async () => {
  expect(await images.metadata(picture)).toMatchObject({ format: 'png', width: 40, height: 20 });
  expect(await images.transform(picture, [{ kind: 'resize', width: 20 }], { format: 'webp', quality: 50 })).toEqual({
    image: picture,
    format: 'webp',
    width: 20,
    height: 10,
  });
  expect(meter.totals.get('hello')).toEqual({ imagesCalls: 2, cpuMegacycles: 240 });
});

test.each<[ImageTransform[], string]>([
  [[{ kind: 'resize' }], 'transform 1, resize: it has neither width nor height'],
  [[{ kind: 'resize', width: 0 }], '0 is not a whole number from 1 to 4000'],
  [[{ kind: 'resize', width: 4_001 }], '4001 is not a whole number'],
  [[{ kind: 'resize', height: 1.5 }], '1.5 is not a whole number'],
  [[{ kind: 'resize', width: 5, cropToFit: true }], 'it needs both width and height'],
  [[{ kind: 'resize', height: 5, allowStretch: true }], 'it needs both width and height'],
  [[{ kind: 'resize', width: 5, height: 5, cropToFit: true, allowStretch: true }], 'exclude each other'],
  [[{ kind: 'resize', width: 5, height: 5, cropToFit: true, cropOffsetX: 1.1 }], 'offsets are fractions'],
  [[{ kind: 'horizontalFlip' }, { kind: 'rotate', degrees: 45 }], 'transform 2, rotate: 45 is no multiple of 90'],
  [[{ kind: 'crop', left: 0, top: 0, right: 1.1, bottom: 1 }], 'edges are fractions'],
  [[{ kind: 'crop', left: 0.5, top: 0, right: 0.5, bottom: 1 }], 'left must be less than right'],
  [[{ kind: 'crop', left: 0, top: 1, right: 1, bottom: 0 }], 'top less than bottom'],
  [Array.from({ length: LIMITS.imageTransformsMax + 1 }, () => ({ kind: 'verticalFlip' })), '11 transforms, at most 10'],
])('%j is refused before a worker sees it', async (transforms, words) => {
  await expect(images.transform(picture, transforms)).rejects.toThrow(
    expect.objectContaining({ code: 'IMAGE_TRANSFORM_INVALID', message: expect.stringContaining(words) }),
  );
});

test.each([0, 101, 50.5])('a quality of %d is refused', async (quality) => {
  await expect(images.transform(picture, [], { quality })).rejects.toThrow(expect.objectContaining({ code: 'IMAGE_TRANSFORM_INVALID' }));
});

test('what is no payload of this release is refused', async () => {
  const unknown = [{ kind: 'emboss' }] as unknown as ImageTransform[];
  await expect(images.transform(picture, unknown)).rejects.toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  for (const degrees of [NaN, Infinity]) {
    await expect(images.transform(picture, [{ kind: 'rotate', degrees }])).rejects.toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  }
  const text = 'text' as unknown as Uint8Array;
  await expect(images.metadata(text)).rejects.toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

test('a picture has bytes, and not too many', async () => {
  await expect(images.metadata(Buffer.alloc(0))).rejects.toThrow(expect.objectContaining({ code: 'IMAGE_INVALID' }));
  const large = Buffer.alloc(LIMITS.imageBytesMax + 1);
  await expect(images.metadata(large)).rejects.toThrow(expect.objectContaining({ code: 'IMAGE_TOO_LARGE' }));
  await expect(images.transform(large, [])).rejects.toThrow(expect.objectContaining({ code: 'IMAGE_TOO_LARGE' }));
});
