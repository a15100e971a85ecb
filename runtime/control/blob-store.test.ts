import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../sdk/support/clock.ts';
import { BlobStore } from './blob-store.ts';

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const stream = (...chunks: string[]): AsyncIterable<Uint8Array> => Readable.from(chunks.map((chunk) => Buffer.from(chunk)));

describe('BlobStore', () => {
  let directory: string;
  let store: BlobStore;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'blobs-'));
    store = new BlobStore(directory, systemClock, systemRandom);
    await store.start();
  });

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it('keeps content under its hash, read-only, and knows what it lacks', async () => {
    const sha256 = hashOf('hello world');
    expect(await store.missing([sha256, sha256])).toEqual([sha256]);
    await store.put(sha256, 11, stream('hello ', 'world'));
    expect(await store.missing([sha256])).toEqual([]);
    expect(store.pathOf(sha256)).toBe(join(directory, sha256.slice(0, 2), sha256));
    expect(await readFile(store.pathOf(sha256), 'utf8')).toBe('hello world');
    expect((await stat(store.pathOf(sha256))).mode & 0o777).toBe(0o444);
    expect(await readdir(join(directory, 'incoming'))).toEqual([]);
  });

  it.each([
    ['another hash', hashOf('x'), 5, /not what its hash/],
    ['too few bytes', hashOf('hello'), 6, /5 of the 6 bytes/],
    ['too many bytes', hashOf('hello'), 4, /more than the 4 bytes/],
  ])('refuses %s and leaves nothing behind', async (_, sha256, bytes, problem) => {
    await expect(store.put(sha256, bytes, stream('hello'))).rejects.toThrow(problem);
    expect(await store.has(sha256)).toBe(false);
    expect(await readdir(join(directory, 'incoming'))).toEqual([]);
  });

  it('leaves nothing behind when the sender breaks off', async () => {
    const broken = async function* (): AsyncIterable<Uint8Array> {
      yield Buffer.from('hel');
      throw new Error('aborted');
    };
    await expect(store.put(hashOf('hello'), 5, broken())).rejects.toThrow('aborted');
    expect(await readdir(join(directory, 'incoming'))).toEqual([]);
  });

  it('lets two writers store the same content at once', async () => {
    const sha256 = hashOf('same');
    await Promise.all([store.put(sha256, 4, stream('same')), store.put(sha256, 4, stream('sa', 'me'))]);
    expect(await store.readText(sha256)).toBe('same');
  });

  it.each(['../../etc/passwd', 'A'.repeat(64), '', 'ab'])('refuses %j as a hash', (name) => {
    expect(() => store.pathOf(name)).toThrow(/SHA-256/);
  });

  it('sweeps old blobs that nobody uses', async () => {
    const [used, unused, fresh] = await Promise.all([store.putText('used'), store.putText('unused'), store.putText('fresh')]);
    for (const sha256 of [used, unused]) await utimes(store.pathOf(sha256), 0, 0);
    expect(await store.sweep(60_000, (sha256) => sha256 === used)).toBe(1);
    expect(await store.missing([used, unused, fresh])).toEqual([unused]);
  });

  it('removes what a dead process left half written', async () => {
    await store.putText('x');
    const { writeFile } = await import('node:fs/promises');
    await writeFile(join(directory, 'incoming', 'dead'), 'half');
    await new BlobStore(directory, systemClock, systemRandom).start();
    expect(await readdir(join(directory, 'incoming'))).toEqual([]);
  });
});
