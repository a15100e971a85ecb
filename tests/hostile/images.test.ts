// Pictures that are bombs (security: 70), against the real worker in its sandbox.
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SandboxImageWorker } from '../../runtime/backends/image-worker-sandbox.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { ImageFixture } from '../contract/image-fixture.ts';
import { bubblewrapSkip } from '../contract/sandbox-skip.ts';

const skip = await bubblewrapSkip();
const options = () => ({ signal: new AbortController().signal });

describe.skipIf(skip !== undefined)(`70 image bombs${skip === undefined ? '' : ` (SKIPPED: ${skip})`}`, () => {
  let fixture: ImageFixture;
  let good: Buffer;
  beforeAll(async () => {
    fixture = await ImageFixture.open('bubblewrap');
    good = await sharp({ create: { width: 30, height: 30, channels: 3, background: '#f00' } })
      .png()
      .toBuffer();
  });
  afterAll(() => fixture.close());

  const shrink = (image: Buffer, worker: SandboxImageWorker = fixture.worker) =>
    worker.transform(
      'a',
      image,
      { transforms: [{ kind: 'resize', width: 10 }], output: { format: 'jpeg' }, correctOrientation: false },
      options(),
    );
  /** The code of both refusals; and the same worker goes on. */
  async function refusalOf(image: Buffer): Promise<unknown> {
    const [before] = await fixture.instances();
    const codeOf = (error: unknown) => (error as { readonly code: string }).code;
    const looked = await fixture.worker.metadata('a', image, false, options()).then(() => 'accepted', codeOf);
    const shrunk = await shrink(image).then(() => 'accepted', codeOf);
    expect(await shrink(good)).toMatchObject({ width: 10 });
    if (before !== undefined) expect(await fixture.instances()).toContain(before);
    return [looked, shrunk];
  }
  const TOO_LARGE = ['IMAGE_TOO_LARGE', 'IMAGE_TOO_LARGE'];
  const INVALID = ['IMAGE_INVALID', 'IMAGE_INVALID'];

  test('64,000 x 64,000 pixels in 5 kB', async () => {
    const bomb = png(64_000, 64_000, deflateSync(Buffer.alloc(4 * 2 ** 20)));
    expect(bomb.length).toBeLessThan(5_000);
    expect(await refusalOf(bomb)).toEqual(TOO_LARGE);
  });

  test.each([
    [50_000_001, 1],
    [1, 50_000_001],
    [7_072, 7_072],
    [0x7fffffff, 0x7fffffff],
  ])('%d x %d pixels', async (width, height) => {
    const outcome = await refusalOf(png(width, height, deflateSync(Buffer.alloc(1_000))));
    expect([TOO_LARGE, INVALID]).toContainEqual(outcome);
  });

  test('a GIF of 10,000 frames', async () => {
    expect(await refusalOf(gif(10_000))).toEqual(TOO_LARGE);
    expect(await fixture.worker.metadata('a', gif(LIMITS.imageFramesMax), false, options())).toMatchObject({
      frames: LIMITS.imageFramesMax,
    });
  });

  test.each([
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'],
    [
      'SVG with entities',
      `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">${'bcdefghij'.replace(/./g, (name) => `<!ENTITY ${name} "${`&${String.fromCharCode(name.charCodeAt(0) - 1)};`.repeat(10)}">`)}]><svg xmlns="http://www.w3.org/2000/svg"><text>&j;</text></svg>`,
    ],
    [
      'SVG with a file in it',
      '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>',
    ],
    ['PDF', '%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>'],
    ['Postscript', '%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file'],
    ['a format of ImageMagick', 'push graphic-context\nviewbox 0 0 640 480\nimage over 0,0 0,0 "|id"\npop graphic-context'],
    ["libvips' own", '\x08\xf2\xa6\xb6'.padEnd(64, '\0')],
    ['Radiance', '#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 9 +X 9\n'],
    ['PPM', 'P6\n9 9\n255\n'.padEnd(300, 'x')],
    ['nothing known', 'hello'],
  ])('%s', async (_what, text) => {
    expect(await refusalOf(Buffer.from(text, 'latin1'))).toEqual(INVALID);
  });

  test.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const)('a %s that ends in the middle', async (format) => {
    const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
    const whole = await sharp({ create: { width: 300, height: 300, channels: 3, background: '#000', noise } })
      [format]()
      .toBuffer();
    expect(await shrink(whole)).toMatchObject({ width: 10 });
    for (const part of [0.02, 0.3, 0.6]) {
      const [looked, shrunk] = (await refusalOf(whole.subarray(0, Math.ceil(whole.length * part)))) as string[];
      expect(['accepted', 'IMAGE_INVALID']).toContain(looked);
      expect(shrunk).toBe('IMAGE_INVALID');
    }
  });

  test('the largest picture that is allowed can be turned within the memory of a worker', async () => {
    const image = await sharp({ create: { width: 7_071, height: 7_071, channels: 4, background: '#f008' } })
      .png()
      .toBuffer();
    const transforms = [{ kind: 'rotate', degrees: 90 }, { kind: 'horizontalFlip' }, { kind: 'resize', width: 50 }] as const;
    const made = await fixture.worker.transform(
      'a',
      image,
      { transforms, output: { format: 'png' }, correctOrientation: false },
      options(),
    );
    expect(made).toMatchObject({ width: 50, height: 50 });
  });

  test('one that takes more memory than the worker has ends the worker, and the next call works', async (context) => {
    if (fixture.host.resources.missing.includes('memory')) context.skip("this machine's control groups do not limit memory");
    const narrow = fixture.another({ memoryBytesMax: 128 * 2 ** 20 });
    const image = await sharp({ create: { width: 7_000, height: 7_000, channels: 4, background: '#f008' } })
      .png()
      .toBuffer();
    const transforms = [
      { kind: 'rotate', degrees: 90 },
      { kind: 'resize', width: 50 },
    ] as const;
    const bomb = narrow.transform('b', image, { transforms, output: { format: 'png' }, correctOrientation: false }, options());
    await expect(bomb).rejects.toThrow(
      expect.objectContaining({ code: 'IMAGE_WORKER_FAILED', message: expect.stringContaining('memory limit') }),
    );
    expect(await shrink(good, narrow)).toMatchObject({ width: 10 });
  });
});

const CRC = Array.from({ length: 256 }, (_each, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  let crc = 0xffffffff;
  for (const byte of body) crc = (CRC[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
  return Buffer.concat([head, body, tail]);
}

/** One bit a pixel; `data` is what its compressed pixels begin with. */
function png(width: number, height: number, data: Buffer): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.writeUInt8(1, 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', head),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** So many frames of one pixel. */
function gif(frames: number): Buffer {
  const head = Buffer.from('GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff', 'latin1');
  const frame = Buffer.from('\x21\xf9\x04\x00\x0a\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00', 'latin1');
  return Buffer.concat([head, ...Array.from({ length: frames }, () => frame), Buffer.from(';')]);
}
