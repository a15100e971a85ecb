// The body of a request over HTTP/1: no larger, no slower, and no more of them together than the limits say.
import { type IncomingMessage } from 'node:http';
import { gunzip } from 'node:zlib';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { type Timers } from '../../../../sdk/support/clock.ts';
import { type V1Calls } from './calls.ts';

export interface BodyLimits {
  /** Both as sent and uncompressed. */
  readonly bytesMax: number;
  readonly ms: number;
}

export interface HeldBody {
  readonly bytes: Buffer;
  /** Gives back the room that it takes; once. */
  release(): void;
}

/**
 * The caller releases what it gets. Throws V1_REQUEST_TOO_LARGE, ROUTE_REQUEST_TIMEOUT, RPC_OVERLOADED, CANCELLED, V1_MEDIA_TYPE for a coding
 * that nobody knows, and INVALID_ARGUMENT for one that does not hold.
 */
export async function readBody(request: IncomingMessage, calls: V1Calls, timers: Timers, limits: BodyLimits): Promise<HeldBody> {
  const coding = request.headers['content-encoding'];
  if (coding !== undefined && coding !== 'gzip' && coding !== 'identity') {
    throw new PlatformError('V1_MEDIA_TYPE', `Content-Encoding ${JSON.stringify(coding.slice(0, 100))}; want gzip, or none`);
  }
  if (Number(request.headers['content-length'] ?? 0) > limits.bytesMax) throw tooLarge(limits.bytesMax);
  let held = 0;
  const hold = (bytes: number): boolean => {
    const hasRoom = calls.hold(bytes);
    if (hasRoom) held += bytes;
    return hasRoom;
  };
  try {
    const sent = await received(request, timers, limits, hold);
    if (coding !== 'gzip') return { bytes: sent, release: () => calls.release(held) };
    const bytes = await inflated(sent, limits.bytesMax);
    if (!hold(bytes.length)) throw overloaded();
    return { bytes, release: () => calls.release(held) };
  } catch (error) {
    calls.release(held);
    throw error;
  }
}

function received(request: IncomingMessage, timers: Timers, limits: BodyLimits, hold: (bytes: number) => boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (done: () => void): void => {
      cancel();
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      // What still comes of it is read and dropped.
      request.on('error', () => undefined);
      done();
    };
    const fail = (error: PlatformError): void => {
      settle(() => {
        reject(error);
      });
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > limits.bytesMax) fail(tooLarge(limits.bytesMax));
      else if (!hold(chunk.length)) fail(overloaded());
    };
    const onEnd = (): void => {
      const [only] = chunks;
      settle(() => {
        resolve(chunks.length === 1 && only ? only : Buffer.concat(chunks, length));
      });
    };
    const onClose = (): void => {
      fail(new PlatformError('CANCELLED'));
    };
    const cancel = timers.after(limits.ms, () => {
      fail(new PlatformError('ROUTE_REQUEST_TIMEOUT', `not whole after ${limits.ms} ms`));
    });
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

function inflated(bytes: Buffer, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gunzip(bytes, { maxOutputLength: bytesMax }, (error: NodeJS.ErrnoException | null, result) => {
      if (!error) resolve(result);
      else if (error.code === 'ERR_BUFFER_TOO_LARGE') reject(tooLarge(bytesMax));
      else reject(new PlatformError('INVALID_ARGUMENT', 'the body is not gzip, as its Content-Encoding says', { cause: error }));
    });
  });
}

function overloaded(): PlatformError {
  return new PlatformError('RPC_OVERLOADED', 'requests under way on this port hold as much memory as they may');
}

function tooLarge(bytesMax: number): PlatformError {
  return new PlatformError('V1_REQUEST_TOO_LARGE', `at most ${bytesMax} bytes`, { details: { bytesMax } });
}
