// The image worker: runs alone in a sandbox of its own, started and stopped by ../image-worker-sandbox.ts.
// It must not know an app, keep anything between two calls, or be loaded by the platform's own processes.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { REFUSED_STATUS, RESULT_HEADER, WORK_HEADER, type ImageRefusal, type ImageWork } from './message.ts';
import { readMetadata, restrictSharp, transformPicture } from './picture.ts';

restrictSharp();
createServer((request, response) => void answer(request, response)).listen(process.env['APPENGINE_LISTEN']);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const work = JSON.parse(String(request.headers[WORK_HEADER])) as ImageWork;
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { result, image } = await done(work, Buffer.concat(chunks));
    response.writeHead(200, { [RESULT_HEADER]: JSON.stringify(result), 'content-length': image.byteLength }).end(image);
  } catch (error) {
    // What has no code is a fault of the worker's own: it says so by ending, and whoever asked starts another.
    if (!(error instanceof PlatformError)) throw error;
    const { message, row } = error;
    const refusal = { code: error.code, reason: message.replace(`${row.message}: `, '').slice(0, 400) } as ImageRefusal;
    response.writeHead(REFUSED_STATUS).end(JSON.stringify(refusal));
  }
}

async function done(work: ImageWork, image: Buffer): Promise<{ readonly result: object; readonly image: Uint8Array }> {
  if (work.kind === 'metadata') return { result: await readMetadata(image, work.correctOrientation), image: Buffer.alloc(0) };
  const { image: made, ...result } = await transformPicture(image, work.transforms, work.output, work.correctOrientation);
  return { result, image: made };
}
