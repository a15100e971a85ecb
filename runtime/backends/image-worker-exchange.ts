// One call of an image worker: the work goes out, and what comes back is checked before anybody believes it.
import { request } from 'node:http';
import { z } from 'zod';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type ImageRefusal, type ImageWork, REFUSED_STATUS, RESULT_HEADER, WORK_HEADER } from './image-worker/message.ts';

const side = z.number().int().min(1);

export const metadataResult = z.strictObject({
  format: z.enum(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif']),
  width: side,
  height: side,
  frames: z.number().int().min(1).max(LIMITS.imageFramesMax),
  orientation: z.number().int().min(0).max(8),
  hasAlpha: z.boolean(),
});

export const transformResult = z.strictObject({
  format: z.enum(['jpeg', 'png', 'webp']),
  width: side.max(LIMITS.imageSideMax),
  height: side.max(LIMITS.imageSideMax),
});

const imageRefusal = z.strictObject({
  code: z.enum(['IMAGE_INVALID', 'IMAGE_TOO_LARGE', 'IMAGE_TRANSFORM_INVALID', 'DEADLINE_EXCEEDED']),
  reason: z.string().max(400),
}) satisfies z.ZodType<ImageRefusal>;

export interface ImageWorkDone {
  /** As the worker sent it, for one of the schemas above. */
  readonly result: unknown;
  readonly image: Buffer;
}

/** Throws what the worker says of the picture; any other error means that the worker itself failed. */
export async function exchangeImageWork(socketPath: string, work: ImageWork, image: Uint8Array): Promise<ImageWorkDone> {
  const { status, result, body } = await post(socketPath, JSON.stringify(work), image);
  if (status === 200) return { result: JSON.parse(result) as unknown, image: body };
  if (status !== REFUSED_STATUS) throw new Error(`the image worker answered ${status}`);
  const { code, reason } = imageRefusal.parse(JSON.parse(body.toString('utf8')));
  throw new PlatformError(code, reason);
}

interface Answer {
  readonly status: number;
  readonly result: string;
  readonly body: Buffer;
}

function post(socketPath: string, work: string, image: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { [WORK_HEADER]: work, 'content-length': image.byteLength };
    const call = request({ socketPath, method: 'POST', path: '/', headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > LIMITS.imageBytesMax) call.destroy(new Error('the image worker sent more than it may'));
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, result: String(response.headers[RESULT_HEADER]), body: Buffer.concat(chunks) });
      });
    });
    call.on('error', reject);
    call.end(image);
  });
}
