// What can be said of transforms before any picture is read. Pure.
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type ImageOutput, type ImageTransform } from '../../../sdk/contract/services/images.ts';

/** Throws IMAGE_TRANSFORM_INVALID naming the transform, counted from 1. */
export function checkTransforms(transforms: readonly ImageTransform[], { quality }: ImageOutput): void {
  if (transforms.length > LIMITS.imageTransformsMax) throw invalid(`${transforms.length} transforms, at most ${LIMITS.imageTransformsMax}`);
  if (quality !== undefined && !(Number.isInteger(quality) && quality >= 1 && quality <= 100)) {
    throw invalid(`the quality is ${quality}, want a whole number from 1 to 100`);
  }
  transforms.forEach((transform, index) => {
    const problem = problemOf(transform);
    if (problem !== undefined) throw invalid(`transform ${index + 1}, ${transform.kind}: ${problem}`);
  });
}

function problemOf(transform: ImageTransform): string | undefined {
  switch (transform.kind) {
    case 'resize':
      return problemOfResize(transform);
    case 'crop': {
      const { left, top, right, bottom } = transform;
      if (![left, top, right, bottom].every(isFraction)) return 'edges are fractions from 0 to 1';
      return left < right && top < bottom ? undefined : 'left must be less than right, and top less than bottom';
    }
    case 'rotate':
      return Number.isInteger(transform.degrees) && transform.degrees % 90 === 0 ? undefined : `${transform.degrees} is no multiple of 90`;
    case 'horizontalFlip':
    case 'verticalFlip':
    case 'autolevels':
      return undefined;
  }
}

function problemOfResize(transform: ImageTransform & { readonly kind: 'resize' }): string | undefined {
  const { width, height, cropToFit = false, allowStretch = false, cropOffsetX = 0.5, cropOffsetY = 0.5 } = transform;
  if (width === undefined && height === undefined) return 'it has neither width nor height';
  for (const side of [width, height]) {
    if (side === undefined || (Number.isInteger(side) && side >= 1 && side <= LIMITS.imageSideMax)) continue;
    return `${side} is not a whole number from 1 to ${LIMITS.imageSideMax}`;
  }
  if (cropToFit && allowStretch) return 'cropToFit and allowStretch exclude each other';
  if ((cropToFit || allowStretch) && (width === undefined || height === undefined)) return 'it needs both width and height';
  return isFraction(cropOffsetX) && isFraction(cropOffsetY) ? undefined : 'crop offsets are fractions from 0 to 1';
}

function isFraction(value: number): boolean {
  return value >= 0 && value <= 1;
}

function invalid(reason: string): PlatformError {
  return new PlatformError('IMAGE_TRANSFORM_INVALID', reason);
}
