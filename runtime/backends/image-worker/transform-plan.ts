// From transforms and the size of a picture to exact steps in pixels, each with a known size after it. Pure: what would
// grow beyond the limits is refused before a pixel is decoded.
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type ImageTransform } from '../../../sdk/contract/services/images.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Region extends Size {
  readonly left: number;
  readonly top: number;
}

/** One pass over the pixels: `extract` comes before `resize`. */
export type Step =
  | { readonly kind: 'reshape'; readonly extract?: Region; readonly resize?: Size }
  | { readonly kind: 'rotate'; readonly degrees: number }
  | { readonly kind: 'mirror'; readonly axis: 'horizontal' | 'vertical' }
  | { readonly kind: 'normalise' };

/** Throws IMAGE_TRANSFORM_INVALID when a side of a step's result, or of the last, is beyond `imageSideMax`. */
export function planSteps(source: Size, transforms: readonly ImageTransform[]): { readonly steps: readonly Step[]; readonly size: Size } {
  const steps: Step[] = [];
  let size = source;
  for (const transform of transforms) {
    const step = stepOf(size, transform);
    if (step === undefined) continue;
    steps.push(step);
    size = sizeAfter(size, step);
    if (transform.kind === 'resize') checkSides(size);
  }
  checkSides(size);
  return { steps, size };
}

/** Undefined when it changes nothing. */
function stepOf(size: Size, transform: ImageTransform): Step | undefined {
  switch (transform.kind) {
    case 'resize':
      return resizeStep(size, transform);
    case 'crop': {
      const left = Math.min(size.width - 1, Math.round(transform.left * size.width));
      const top = Math.min(size.height - 1, Math.round(transform.top * size.height));
      const width = Math.max(1, Math.round(transform.right * size.width) - left);
      const height = Math.max(1, Math.round(transform.bottom * size.height) - top);
      return { kind: 'reshape', extract: { left, top, width, height } };
    }
    case 'rotate': {
      const degrees = ((transform.degrees % 360) + 360) % 360;
      return degrees === 0 ? undefined : { kind: 'rotate', degrees };
    }
    case 'horizontalFlip':
      return { kind: 'mirror', axis: 'horizontal' };
    case 'verticalFlip':
      return { kind: 'mirror', axis: 'vertical' };
    case 'autolevels':
      return { kind: 'normalise' };
  }
}

function resizeStep(size: Size, transform: ImageTransform & { readonly kind: 'resize' }): Step {
  const { width = Infinity, height = Infinity, cropToFit = false, allowStretch = false, cropOffsetX = 0.5, cropOffsetY = 0.5 } = transform;
  if (allowStretch) return { kind: 'reshape', resize: { width, height } };
  if (!cropToFit) {
    const scale = Math.min(width / size.width, height / size.height);
    return { kind: 'reshape', resize: { width: pixels(size.width * scale), height: pixels(size.height * scale) } };
  }
  // The part that fills the box is cut out first: scaled as a whole, a long picture would become a giant.
  const scale = Math.max(width / size.width, height / size.height);
  const part = { width: Math.min(size.width, pixels(width / scale)), height: Math.min(size.height, pixels(height / scale)) };
  const left = Math.round((size.width - part.width) * cropOffsetX);
  const top = Math.round((size.height - part.height) * cropOffsetY);
  return { kind: 'reshape', extract: { left, top, ...part }, resize: { width, height } };
}

function sizeAfter(size: Size, step: Step): Size {
  switch (step.kind) {
    case 'reshape': {
      const { width, height } = step.resize ?? step.extract ?? size;
      return { width, height };
    }
    case 'rotate':
      return step.degrees % 180 === 0 ? size : { width: size.height, height: size.width };
    case 'mirror':
    case 'normalise':
      return size;
  }
}

function pixels(side: number): number {
  return Math.max(1, Math.round(side));
}

function checkSides({ width, height }: Size): void {
  if (width <= LIMITS.imageSideMax && height <= LIMITS.imageSideMax) return;
  throw new PlatformError(
    'IMAGE_TRANSFORM_INVALID',
    `the result would have ${width} x ${height} pixels, at most ${LIMITS.imageSideMax} a side; resize it to less`,
  );
}
