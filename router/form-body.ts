// The body of a form of the router's own pages, bounded.
import { PlatformError } from '../sdk/contract/errors.ts';
import { type ClientRequest } from './client-exchange.ts';

/** Fields of a urlencoded body; those of any other type count as none. Throws ROUTE_BODY_TOO_LARGE, CANCELLED. */
export async function readForm(request: ClientRequest, bytesMax: number): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new PlatformError('CANCELLED', undefined, { cause });
  }
  if (bytes > bytesMax) throw new PlatformError('ROUTE_BODY_TOO_LARGE', `a form has at most ${bytesMax} bytes`);
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  return new URLSearchParams(type === 'application/x-www-form-urlencoded' ? Buffer.concat(chunks).toString('utf8') : '');
}
