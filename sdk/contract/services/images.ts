// The payloads of the service `images` on an instance's API socket (App Engine: images).

export const IMAGES_SERVICE = 'images';

export type ImageInputFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif';
export type ImageOutputFormat = 'jpeg' | 'png' | 'webp';

/** One step; steps are applied in their order. */
export type ImageTransform =
  /**
   * Keeps the proportions and fits into width and height, of which one may be left out. `cropToFit` fills both and cuts what is
   * over: an offset of 0 keeps the left or top edge, 0.5 (default) the middle, 1 the other edge. `allowStretch` fills both
   * and gives up the proportions.
   */
  | {
      readonly kind: 'resize';
      readonly width?: number;
      readonly height?: number;
      readonly cropToFit?: boolean;
      readonly cropOffsetX?: number;
      readonly cropOffsetY?: number;
      readonly allowStretch?: boolean;
    }
  /** Keeps this part; edges as fractions of width and height, 0 to 1. */
  | { readonly kind: 'crop'; readonly left: number; readonly top: number; readonly right: number; readonly bottom: number }
  /** Clockwise, by a multiple of 90. */
  | { readonly kind: 'rotate'; readonly degrees: number }
  | { readonly kind: 'horizontalFlip' }
  | { readonly kind: 'verticalFlip' }
  /** Stretches dark and bright over the whole range. */
  | { readonly kind: 'autolevels' };

export interface ImageOutput {
  readonly format: ImageOutputFormat;
  /** 1 to 100, default 85; PNG has none. */
  readonly quality?: number;
}

export interface ImageTransformCall {
  readonly image: Uint8Array;
  readonly transforms: readonly ImageTransform[];
  readonly output: ImageOutput;
  /** Whether the picture is turned as its EXIF data says before anything else. */
  readonly correctOrientation: boolean;
}

export interface TransformedImage {
  readonly image: Uint8Array;
  readonly format: ImageOutputFormat;
  readonly width: number;
  readonly height: number;
}

export interface ImageMetadataCall {
  readonly image: Uint8Array;
  /** Whether width and height are those after the turn that the EXIF data asks for. */
  readonly correctOrientation: boolean;
}

export interface ImageMetadata {
  readonly format: ImageInputFormat;
  readonly width: number;
  readonly height: number;
  /** Pictures of an animation, pages of a TIFF. */
  readonly frames: number;
  /** EXIF: 1 is upright, 6 and 8 are turned by a quarter. */
  readonly orientation: number;
  readonly hasAlpha: boolean;
}
