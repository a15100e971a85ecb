// How the image worker is asked, over HTTP on the socket of its sandbox:
//
//   POST /  X-Image-Work: JSON of ImageWork; the body is the picture
//   200     X-Image-Result: JSON of the result; the body is the new picture, empty for metadata
//   422     the body is JSON of ImageRefusal
//
// The worker may have been taken over by a picture, so nothing that it says is believed unchecked: ../image-worker-exchange.ts.
import { type TransformWork } from '../../services/images/image-worker.ts';

export const WORK_HEADER = 'x-image-work';
export const RESULT_HEADER = 'x-image-result';
export const REFUSED_STATUS = 422;

export type ImageWork =
  { readonly kind: 'metadata'; readonly correctOrientation: boolean } | ({ readonly kind: 'transform' } & TransformWork);

export interface ImageRefusal {
  readonly code: 'IMAGE_INVALID' | 'IMAGE_TOO_LARGE' | 'IMAGE_TRANSFORM_INVALID' | 'DEADLINE_EXCEEDED';
  readonly reason: string;
}
