// Pictures by sharp. Runs in a sandbox, where it may crash: everything that is read here is hostile.
import sharp, { type Metadata, type Sharp } from 'sharp';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import {
  type ImageInputFormat,
  type ImageMetadata,
  type ImageOutput,
  type ImageTransform,
  type TransformedImage,
} from '../../../sdk/contract/services/images.ts';
import { planSteps, type Size, type Step } from './transform-plan.ts';

const INPUT_LOADERS = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'];
const INPUT_FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] satisfies ImageInputFormat[];
const QUALITY_DEFAULT = 85;
const CHANNELS_MAX = 5;

/** Once, before the first picture: SVG, PDF and all else that is not a plain picture has no loader from then on. */
export function restrictSharp(): void {
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: INPUT_LOADERS.map((name) => `VipsForeignLoad${name}Buffer`) });
  // One picture at a time, and each is another.
  sharp.concurrency(1);
  sharp.cache(false);
}

/** Throws IMAGE_INVALID, IMAGE_TOO_LARGE. */
export async function readMetadata(image: Buffer, correctOrientation: boolean): Promise<ImageMetadata> {
  const found = await asPlatformErrors(() => open(image).metadata());
  const { width, height, hasAlpha, pages = 1, pageHeight = height, orientation = 1 } = found;
  const format = formatOf(found);
  if (format === undefined) throw new PlatformError('IMAGE_INVALID', `the format ${found.format} is not known`);
  if (width * pageHeight > LIMITS.imagePixelsMax) {
    throw new PlatformError('IMAGE_TOO_LARGE', `it has ${width} x ${pageHeight} pixels, at most ${LIMITS.imagePixelsMax}`);
  }
  if (pages > LIMITS.imageFramesMax) throw new PlatformError('IMAGE_TOO_LARGE', `it has ${pages} frames, at most ${LIMITS.imageFramesMax}`);
  const isTurned = correctOrientation && orientation >= 5;
  return {
    format,
    width: isTurned ? pageHeight : width,
    height: isTurned ? width : pageHeight,
    frames: pages,
    orientation,
    hasAlpha,
  };
}

/** Throws IMAGE_INVALID, IMAGE_TOO_LARGE, IMAGE_TRANSFORM_INVALID, DEADLINE_EXCEEDED. */
export async function transformPicture(
  image: Buffer,
  transforms: readonly ImageTransform[],
  output: ImageOutput,
  correctOrientation: boolean,
): Promise<TransformedImage> {
  const { width, height, orientation } = await readMetadata(image, correctOrientation);
  const { steps } = planSteps({ width, height }, transforms);
  return asPlatformErrors(async () => {
    let picture = open(image);
    if (correctOrientation && orientation !== 1) picture = await pixelsOf(picture.autoOrient());
    // sharp has an order of its own for what is asked in one pass: so each step is a pass, the last with the encoding.
    for (const step of steps.slice(0, -1)) picture = await pixelsOf(apply(picture, step));
    const last = steps.at(-1);
    const { data, info } = await encoded(last ? apply(picture, last) : picture, output).toBuffer({ resolveWithObject: true });
    if (data.length > LIMITS.imageBytesMax) {
      throw new PlatformError('IMAGE_TOO_LARGE', `the result has ${data.length} bytes, at most ${LIMITS.imageBytesMax}; resize it to less`);
    }
    return { image: data, format: output.format, width: info.width, height: info.height };
  });
}

function open(image: Buffer): Sharp {
  return limited(sharp(image, { limitInputPixels: LIMITS.imagePixelsMax, limitInputChannels: CHANNELS_MAX, failOn: 'error', pages: 1 }));
}

function limited(picture: Sharp): Sharp {
  return picture.timeout({ seconds: Math.floor(LIMITS.imageWorkMs / 1_000) - 2 });
}

/** The picture decoded, as the input of the next pass. */
async function pixelsOf(picture: Sharp): Promise<Sharp> {
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return limited(sharp(data, { raw: { width, height, channels }, limitInputPixels: LIMITS.imagePixelsMax }));
}

function apply(picture: Sharp, step: Step): Sharp {
  switch (step.kind) {
    case 'reshape': {
      const part = step.extract ? picture.extract(step.extract) : picture;
      return step.resize ? part.resize(exactly(step.resize)) : part;
    }
    case 'rotate':
      return picture.rotate(step.degrees);
    case 'mirror':
      return step.axis === 'horizontal' ? picture.flop() : picture.flip();
    case 'normalise':
      return picture.normalise();
  }
}

function exactly({ width, height }: Size): { readonly width: number; readonly height: number; readonly fit: 'fill' } {
  return { width, height, fit: 'fill' };
}

function encoded(picture: Sharp, { format, quality = QUALITY_DEFAULT }: ImageOutput): Sharp {
  switch (format) {
    case 'jpeg':
      // JPEG knows no transparency: white shows through, as on App Engine.
      return picture.flatten({ background: '#ffffff' }).jpeg({ quality });
    case 'png':
      return picture.png();
    case 'webp':
      return picture.webp({ quality });
  }
}

function formatOf({ format, compression }: Metadata): ImageInputFormat | undefined {
  const name = format === 'heif' && compression === 'av1' ? 'avif' : format;
  return INPUT_FORMATS.includes(name) ? (name as ImageInputFormat) : undefined;
}

/** What sharp throws has no codes, only texts; a picture is to blame for most. */
async function asPlatformErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    const message = (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 200) ?? '';
    if (/exceeds (pixel|channel) limit/i.test(message)) throw new PlatformError('IMAGE_TOO_LARGE', message, { cause: error });
    if (/timeout/i.test(message)) throw new PlatformError('DEADLINE_EXCEEDED', message, { cause: error });
    throw new PlatformError('IMAGE_INVALID', message, { cause: error });
  }
}
