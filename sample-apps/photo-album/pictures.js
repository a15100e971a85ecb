// What is kept of an upload: a JPEG that fits into an entity, and a thumbnail.
import { images } from 'appengine';

/** An entity has at most 1 MiB, its key and names included. */
const BYTES_MAX = 1_000_000;
const THUMBNAIL = 320;
/** Tried in order until the picture is small enough. */
const SIZES = [
  { side: 1600, quality: 85 },
  { side: 1600, quality: 70 },
  { side: 1200, quality: 70 },
  { side: 800, quality: 60 },
];

/** Throws IMAGE_INVALID and IMAGE_TOO_LARGE for what is no picture, or none that is worked on. */
export async function picturesOf(bytes) {
  const upright = { correctOrientation: true, format: 'jpeg' };
  const { width, height } = await images.metadata(bytes, { correctOrientation: true });
  const full = await smallEnough(bytes, Math.max(width, height));
  // From what is kept, which is smaller than what came.
  const square = { kind: 'resize', width: THUMBNAIL, height: THUMBNAIL, cropToFit: true };
  const thumbnail = await images.transform(full.image, [square], { ...upright, quality: 80 });
  return { full, thumbnail };
}

async function smallEnough(bytes, longSide) {
  for (const { side, quality } of SIZES) {
    const fit = Math.min(side, longSide);
    const picture = await images.transform(bytes, [{ kind: 'resize', width: fit, height: fit }], {
      correctOrientation: true,
      format: 'jpeg',
      quality,
    });
    if (picture.image.length <= BYTES_MAX) return picture;
  }
  throw new Error('even the smallest picture is too large');
}
