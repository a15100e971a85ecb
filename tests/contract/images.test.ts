// The image worker: one contract for the real one, under every sandbox, and for its twin; then what only a real one does.
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MemoryImageWorker } from '../../runtime/backends/image-worker-memory.ts';
import { type ImageWorker, type TransformWork } from '../../runtime/services/images/image-worker.ts';
import { type ImageOutput, type ImageTransform } from '../../sdk/contract/services/images.ts';
import { ImageFixture } from './image-fixture.ts';
import { bubblewrapSkip } from './sandbox-skip.ts';

const options = () => ({ signal: new AbortController().signal });
const work = (
  transforms: readonly ImageTransform[],
  output: ImageOutput = { format: 'png' },
  correctOrientation = false,
): TransformWork => ({
  transforms,
  output,
  correctOrientation,
});

/** Four quarters: red, green over blue, white; lossless. */
async function quarters(width = 40, height = 20): Promise<Buffer> {
  const quarter = (background: string) =>
    sharp({ create: { width: width / 2, height: height / 2, channels: 3, background } })
      .png()
      .toBuffer();
  const [red, green, blue, white] = await Promise.all(['#f00', '#0f0', '#00f', '#fff'].map(quarter));
  return sharp({ create: { width, height, channels: 3, background: '#000' } })
    .composite([
      { input: red, left: 0, top: 0 },
      { input: green, left: width / 2, top: 0 },
      { input: blue, left: 0, top: height / 2 },
      { input: white, left: width / 2, top: height / 2 },
    ])
    .png()
    .toBuffer();
}

/** Colours of the middles of the four quarters, left to right, top to bottom. */
async function colours(image: Uint8Array): Promise<string[]> {
  const { data, info } = await sharp(image).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number): string => {
    const offset = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels;
    return [0, 1, 2].map((channel) => ((data[offset + channel] ?? 0) > 127 ? 'f' : '0')).join('');
  };
  return [at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75), at(0.75, 0.75)];
}

const [RED, GREEN, BLUE, WHITE] = ['f00', '0f0', '00f', 'fff'];

const skip = await bubblewrapSkip();
const kinds: ['bubblewrap' | 'process' | 'memory', string][] = [
  ['bubblewrap', skip === undefined ? '' : ` (SKIPPED: ${skip})`],
  ['process', ''],
  ['memory', ''],
];

describe.each(kinds)('image worker: %s%s', (kind) => {
  const available = kind !== 'bubblewrap' || skip === undefined;
  const it = test.runIf(available);
  // The twin knows sizes and formats, not pixels.
  const itIsReal = kind === 'memory' ? undefined : test.runIf(available);
  let fixture: ImageFixture | undefined;
  let worker: ImageWorker;
  let picture: Buffer;
  beforeAll(async () => {
    picture = await quarters();
    if (kind === 'memory') worker = new MemoryImageWorker();
    else if (available) worker = (fixture = await ImageFixture.open(kind)).worker;
  });
  afterAll(() => fixture?.close());

  it('says what a picture is', async () => {
    expect(await worker.metadata('a', picture, false, options())).toEqual({
      format: 'png',
      width: 40,
      height: 20,
      frames: 1,
      orientation: 1,
      hasAlpha: true,
    });
  });

  it.each<[string, ImageTransform[], [number, number]]>([
    ['nothing', [], [40, 20]],
    ['a width', [{ kind: 'resize', width: 20 }], [20, 10]],
    ['a box', [{ kind: 'resize', width: 100, height: 10 }], [20, 10]],
    ['a larger box', [{ kind: 'resize', width: 80, height: 80 }], [80, 40]],
    ['a box to fill', [{ kind: 'resize', width: 10, height: 10, cropToFit: true }], [10, 10]],
    ['a box to stretch to', [{ kind: 'resize', width: 10, height: 30, allowStretch: true }], [10, 30]],
    ['a quarter turn', [{ kind: 'rotate', degrees: -90 }], [20, 40]],
    ['a half', [{ kind: 'crop', left: 0.5, top: 0, right: 1, bottom: 1 }], [20, 20]],
    [
      'all in order',
      [{ kind: 'rotate', degrees: 90 }, { kind: 'resize', width: 10 }, { kind: 'horizontalFlip' }, { kind: 'autolevels' }],
      [10, 20],
    ],
  ])('makes %s of it', async (_what, transforms, [width, height]) => {
    expect(await worker.transform('a', picture, work(transforms), options())).toMatchObject({ format: 'png', width, height });
  });

  it.each<[string, () => Buffer, ImageTransform[], string]>([
    ['no picture', () => Buffer.from('hello, I am a text'), [], 'IMAGE_INVALID'],
    ['half of a picture', () => picture.subarray(0, 20), [], 'IMAGE_INVALID'],
    [
      'what would become too long',
      () => picture,
      [
        { kind: 'crop', left: 0, top: 0, right: 1, bottom: 0.05 },
        { kind: 'resize', height: 4_000 },
      ],
      'IMAGE_TRANSFORM_INVALID',
    ],
  ])('refuses %s', async (_what, image, transforms, code) => {
    await expect(worker.transform('a', image(), work(transforms), options())).rejects.toThrow(expect.objectContaining({ code }));
    expect(await worker.metadata('a', picture, false, options())).toMatchObject({ width: 40 });
  });

  itIsReal?.each<[string, ImageTransform[], string[]]>([
    ['as it is', [], [RED, GREEN, BLUE, WHITE]],
    ['turned right', [{ kind: 'rotate', degrees: 90 }], [BLUE, RED, WHITE, GREEN]],
    ['turned left', [{ kind: 'rotate', degrees: 270 }], [GREEN, WHITE, RED, BLUE]],
    ['mirrored', [{ kind: 'horizontalFlip' }], [GREEN, RED, WHITE, BLUE]],
    ['upside down', [{ kind: 'verticalFlip' }], [BLUE, WHITE, RED, GREEN]],
    ['turned, then mirrored', [{ kind: 'rotate', degrees: 90 }, { kind: 'horizontalFlip' }], [RED, BLUE, GREEN, WHITE]],
    ['mirrored, then turned', [{ kind: 'horizontalFlip' }, { kind: 'rotate', degrees: 90 }], [WHITE, GREEN, BLUE, RED]],
    ['cut to the right', [{ kind: 'resize', width: 10, height: 20, cropToFit: true, cropOffsetX: 1 }], [GREEN, GREEN, WHITE, WHITE]],
    [
      'cut to the top left, then turned',
      [
        { kind: 'crop', left: 0, top: 0, right: 0.5, bottom: 0.5 },
        { kind: 'rotate', degrees: 90 },
      ],
      [RED, RED, RED, RED],
    ],
  ])('the pixels are where they belong: %s', async (_how, transforms, wanted) => {
    const { image } = await worker.transform('a', picture, work(transforms), options());
    expect(await colours(image)).toEqual(wanted);
  });

  itIsReal?.('reads every format that it says, and writes three', async () => {
    const plain = sharp(await quarters(64, 64));
    for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const) {
      const bytes = await plain.clone()[format]().toBuffer();
      expect(await worker.metadata('a', bytes, false, options())).toMatchObject({ format, width: 64, height: 64, frames: 1 });
      for (const output of ['jpeg', 'png', 'webp'] as const) {
        const made = await worker.transform('a', bytes, work([{ kind: 'resize', width: 32 }], { format: output, quality: 90 }), options());
        expect(made).toMatchObject({ format: output, width: 32, height: 32 });
        expect(await sharp(made.image).metadata()).toMatchObject({ format: output, width: 32, height: 32 });
        expect(await colours(made.image)).toEqual([RED, GREEN, BLUE, WHITE]);
      }
    }
  });

  itIsReal?.('a lower quality makes fewer bytes, and transparency becomes white in a JPEG', async () => {
    const noise = await sharp({
      create: { width: 200, height: 200, channels: 3, background: '#000', noise: { type: 'gaussian', mean: 128, sigma: 30 } },
    })
      .png()
      .toBuffer();
    const sizeAt = async (quality: number) =>
      (await worker.transform('a', noise, work([], { format: 'jpeg', quality }), options())).image.length;
    expect(await sizeAt(10)).toBeLessThan((await sizeAt(90)) / 2);
    const clear = await sharp({ create: { width: 8, height: 8, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } })
      .png()
      .toBuffer();
    expect(await colours((await worker.transform('a', clear, work([], { format: 'jpeg' }), options())).image)).toEqual([
      WHITE,
      WHITE,
      WHITE,
      WHITE,
    ]);
  });

  itIsReal?.('turns a picture as its EXIF data says, when it is asked to', async () => {
    const turned = await sharp(await quarters())
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    expect(await worker.metadata('a', turned, false, options())).toMatchObject({ width: 40, height: 20, orientation: 6 });
    expect(await worker.metadata('a', turned, true, options())).toMatchObject({ width: 20, height: 40, orientation: 6 });
    const left = await worker.transform('a', turned, work([]), options());
    expect(await colours(left.image)).toEqual([RED, GREEN, BLUE, WHITE]);
    const upright = await worker.transform('a', turned, work([{ kind: 'resize', width: 10 }], { format: 'png' }, true), options());
    expect(upright).toMatchObject({ width: 10, height: 20 });
    expect(await colours(upright.image)).toEqual([BLUE, RED, WHITE, GREEN]);
  });

  itIsReal?.('of an animation it counts the frames and takes the first', async () => {
    const frames = await Promise.all(
      ['#f00', '#0f0', '#00f'].map((background) =>
        sharp({ create: { width: 30, height: 20, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const animation = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    expect(await worker.metadata('a', animation, false, options())).toMatchObject({ format: 'gif', width: 30, height: 20, frames: 3 });
    const { image, width, height } = await worker.transform('a', animation, work([]), options());
    expect([width, height, ...(await colours(image))]).toEqual([30, 20, RED, RED, RED, RED]);
  });
});
