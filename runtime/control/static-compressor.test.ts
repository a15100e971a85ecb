import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type StaticFile } from '../../router/ports.ts';
import { type ManifestHandler } from '../../sdk/contract/app-manifest/manifest.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemClock, systemRandom } from '../../sdk/support/clock.ts';
import { BlobStore } from './blob-store.ts';
import { compressibleFiles, StaticCompressor } from './static-compressor.ts';
import { StaticEncodings } from './static-encodings.ts';

const TEXT = Buffer.from('the same words again and again\n'.repeat(100));

describe('StaticCompressor', () => {
  let directory: string;
  let blobs: BlobStore;
  let encodings: StaticEncodings;
  let compressor: StaticCompressor;
  const told: string[] = [];
  const signal = new AbortController().signal;

  const store = async (content: Buffer): Promise<StaticFile> => {
    const file = { sha256: createHash('sha256').update(content).digest('hex'), bytes: content.length };
    await blobs.put(
      file.sha256,
      file.bytes,
      (async function* () {
        yield await Promise.resolve(content);
      })(),
    );
    return file;
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'compress-'));
    blobs = new BlobStore(join(directory, 'blobs'), systemClock, systemRandom);
    encodings = new StaticEncodings(join(directory, 'encodings'), blobs, systemRandom);
    await blobs.start();
    await encodings.start();
    compressor = new StaticCompressor(encodings, blobs);
    told.length = 0;
    compressor.watch((deploymentId) => told.push(deploymentId));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('makes both forms, which give back the content, and tells of it', async () => {
    const file = await store(TEXT);
    const outcome = await compressor.compress('d1', [file], { signal });
    const { br, gzip } = (await encodings.get(file.sha256)) ?? {};
    if (!br || !gzip) throw new Error('a form is missing');
    expect(brotliDecompressSync(await readFile(blobs.pathOf(br.sha256))).equals(TEXT)).toBe(true);
    expect(gunzipSync(await readFile(blobs.pathOf(gzip.sha256))).equals(TEXT)).toBe(true);
    expect(outcome).toEqual({ files: 1, compressedNow: 1, savedBytes: TEXT.length - br.bytes });
    expect(told).toEqual(['d1']);
  });

  it('never compresses the same content twice, also by another process', async () => {
    const file = await store(TEXT);
    await compressor.compress('d1', [file], { signal });
    expect(await compressor.compress('d2', [file], { signal })).toMatchObject({ compressedNow: 0, files: 1 });
    const later = new StaticCompressor(encodings, blobs);
    expect(await later.compress('d3', [file], { signal })).toMatchObject({ compressedNow: 0 });
    expect(told).toEqual(['d1']);
  });

  it('compresses content once that two deploys bring at the same time, and tells both', async () => {
    const file = await store(TEXT);
    const outcomes = await Promise.all(['d1', 'd2'].map((deploymentId) => compressor.compress(deploymentId, [file], { signal })));
    expect(outcomes.map(({ compressedNow }) => compressedNow).sort()).toEqual([0, 1]);
    expect(told.sort()).toEqual(['d1', 'd2']);
  });

  it('remembers what is not worth it', async () => {
    const file = await store(randomBytes(5_000));
    await compressor.compress('d1', [file], { signal });
    expect(await encodings.get(file.sha256)).toEqual({});
    expect(await compressor.compress('d2', [file], { signal })).toMatchObject({ compressedNow: 0, savedBytes: 0 });
  });

  it('makes a form again that is not in the store any more', async () => {
    const file = await store(TEXT);
    await compressor.compress('d1', [file], { signal });
    await blobs.sweep(-1_000, (sha256) => sha256 === file.sha256);
    expect(await encodings.get(file.sha256)).toBeUndefined();
    expect(await compressor.compress('d2', [file], { signal })).toMatchObject({ compressedNow: 1 });
  });

  it('stops when its deploy fails, and keeps what it has', async () => {
    const abort = new AbortController();
    const files = [await store(TEXT), await store(Buffer.from(TEXT.toString().toUpperCase()))];
    const onProgress = (done: number, all: number): void => {
      expect([done, all]).toEqual([1, 2]);
      abort.abort(new Error('enough'));
    };
    await expect(compressor.compress('d1', files, { signal: abort.signal, onProgress })).rejects.toThrow('enough');
    expect(await encodings.get(files[0]?.sha256 ?? '')).toHaveProperty('br');
    expect(await encodings.get(files[1]?.sha256 ?? '')).toBeUndefined();
    expect(told).toEqual(['d1']);
  });

  it('keeps the forms of content that is used, and forgets the others', async () => {
    const [kept, gone] = [await store(TEXT), await store(Buffer.from(TEXT.toString().toUpperCase()))];
    await compressor.compress('d1', [kept, gone], { signal });
    const forms = await encodings.sweep((sha256) => sha256 === kept.sha256);
    const { br, gzip } = (await encodings.get(kept.sha256)) ?? {};
    expect([...forms].sort()).toEqual([br?.sha256, gzip?.sha256].sort());
    expect(await encodings.get(gone.sha256)).toBeUndefined();
  });
});

describe('compressibleFiles', () => {
  const file = (digit: string, bytes = 5_000): StaticFile => ({ sha256: digit.repeat(64), bytes });
  const handler = (mimeType?: string): ManifestHandler => ({
    url: '/x',
    target: { kind: 'static-dir', directory: 'x' },
    secure: 'optional',
    redirectStatus: 302,
    login: 'optional',
    authFailAction: 'redirect',
    requireMatchingFile: false,
    ...(mimeType === undefined ? {} : { mimeType }),
  });
  const chosen = (files: Record<string, StaticFile>, mimeType?: string): string[] =>
    compressibleFiles(files, [handler(mimeType)]).map(({ sha256 }) => sha256.charAt(0));

  it('are text, large enough, small enough, each content once', () => {
    const files = {
      'a.css': file('1'),
      'b.css': file('1'),
      'c.png': file('2'),
      'd.js': file('3', LIMITS.staticCompressFileBytesMin - 1),
      'e.svg': file('4', LIMITS.staticCompressFileBytesMax + 1),
      'f.json': file('5', LIMITS.staticCompressFileBytesMin),
      'g.unknown': file('6'),
    };
    expect(chosen(files)).toEqual(['1', '5']);
    expect(chosen(files, 'text/x-own')).toEqual(['1', '2', '5', '6']);
  });

  it('are at most so many bytes together', () => {
    const files = Object.fromEntries(
      Array.from({ length: 10 }, (_, index) => [`${index}.js`, file(String(index), LIMITS.staticCompressFileBytesMax)]),
    );
    expect(chosen(files)).toHaveLength(LIMITS.staticCompressDeployBytesMax / LIMITS.staticCompressFileBytesMax);
  });
});
