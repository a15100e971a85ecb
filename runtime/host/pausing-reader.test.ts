import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { PausingReader } from './pausing-reader.ts';

const PAUSE_MS = 20;
const BUFFER_BYTES = 10;

/** A reader that pauses after each piece in which there is an `o`, of a stream that buffers BUFFER_BYTES. */
function open() {
  const time = new VirtualTime();
  const pieces: string[] = [];
  let ends = 0;
  const stream = new Readable({ highWaterMark: BUFFER_BYTES, read: () => undefined });
  const reader = new PausingReader(stream, time, {
    pauseMs: PAUSE_MS,
    onPiece: (piece) => {
      pieces.push(piece.toString());
      return piece.includes('o');
    },
    onEnd: () => ends++,
  });
  /** False: whoever fills the stream has to wait. */
  const print = async (text: string): Promise<boolean> => {
    const goesOn = stream.push(text);
    await new Promise((resolve) => setImmediate(resolve));
    return goesOn;
  };
  return { time, pieces, stream, reader, print, ends: () => ends };
}

describe('a reader with pauses', () => {
  it('reads at once what nobody asked to pause for', async () => {
    const { pieces, print } = open();
    await print('a');
    await print('b');
    expect(pieces).toEqual(['a', 'b']);
  });

  it('leaves what comes during a pause with the writer, and takes it as one piece afterwards', async () => {
    const { time, pieces, print } = open();
    await print('over');
    expect(await print('a')).toBe(true);
    expect(await print('b'.repeat(BUFFER_BYTES))).toBe(false);
    time.advance(PAUSE_MS - 1);
    expect(pieces).toEqual(['over']);
    time.advance(1);
    expect(pieces).toEqual(['over', `a${'b'.repeat(BUFFER_BYTES)}`]);
    expect(await print('c')).toBe(true);
    expect(pieces.at(-1)).toBe('c');
  });

  it('pauses again when it is asked again, and goes on by itself when nothing came meanwhile', async () => {
    const { time, pieces, print } = open();
    await print('over');
    await print('over');
    time.advance(PAUSE_MS);
    await print('a');
    expect(pieces).toEqual(['over', 'over']);
    time.advance(PAUSE_MS);
    expect(pieces).toEqual(['over', 'over', 'a']);
    await print('over');
    time.advance(PAUSE_MS);
    await print('b');
    expect(pieces.slice(3)).toEqual(['over', 'b']);
  });

  it('reads the rest without a pause when nobody is left who writes', async () => {
    const { pieces, stream, reader, print, ends } = open();
    await print('over');
    await print('so');
    const drained = reader.drain();
    await print('no');
    await print('last');
    stream.push(null);
    await drained;
    expect(pieces).toEqual(['over', 'so', 'no', 'last']);
    expect(ends()).toBe(1);
  });

  it('ends by itself when the stream ended during a pause', async () => {
    const { time, pieces, stream, print, ends } = open();
    await print('over');
    await print('last');
    stream.push(null);
    await new Promise((resolve) => setImmediate(resolve));
    expect(ends()).toBe(0);
    time.advance(PAUSE_MS);
    await new Promise((resolve) => setImmediate(resolve));
    expect(pieces).toEqual(['over', 'last']);
    expect(ends()).toBe(1);
  });
});
