// The files of an export as an import reads them: verified first, then line by line in constant memory.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { linesOf } from '../support/line-splitter.ts';
import { type ExportedFile } from './export-manifest.ts';

/** Throws EXPORT_UNUSABLE when the file is not the one that was exported. */
export async function verifyFile(directory: string, { name, sha256 }: ExportedFile, onBytes: (bytes: number) => void): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of chunksOf(directory, name)) {
    hash.update(chunk);
    onBytes(chunk.length);
  }
  if (hash.digest('hex') !== sha256) throw new PlatformError('EXPORT_UNUSABLE', `${name} has another SHA-256 than the manifest says`);
}

/** Lines without their ends; one longer than importLineBytesMax is cut one byte behind it. Throws EXPORT_UNUSABLE. */
export function fileLines(directory: string, file: ExportedFile): AsyncGenerator<Buffer> {
  return linesOf(file.name.endsWith('.gz') ? unzipped(directory, file) : chunksOf(directory, file.name), LIMITS.importLineBytesMax);
}

async function* chunksOf(directory: string, name: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(join(directory, name)) as AsyncIterable<Buffer>) yield chunk;
  } catch (cause) {
    throw new PlatformError('EXPORT_UNUSABLE', `${name} cannot be read`, { cause });
  }
}

/** No more than the manifest says, however much a few bytes may unfold to. */
async function* unzipped(directory: string, { name, lineBytes }: ExportedFile): AsyncGenerator<Buffer> {
  const stream = createReadStream(join(directory, name)).on('error', (error) => stream.destroy(error));
  const gunzip = createGunzip();
  stream.once('error', (error) => gunzip.destroy(error));
  let bytes = 0;
  try {
    for await (const chunk of stream.pipe(gunzip) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > lineBytes)
        throw new PlatformError('EXPORT_UNUSABLE', `${name} unfolds to more than the ${lineBytes} bytes of the manifest`);
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    throw new PlatformError('EXPORT_UNUSABLE', `${name} cannot be unfolded`, { cause });
  } finally {
    stream.destroy();
  }
}
