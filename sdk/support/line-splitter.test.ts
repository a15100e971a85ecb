import fc from 'fast-check';
import { expect, it } from 'vitest';
import { linesOf } from './line-splitter.ts';

async function split(chunks: readonly Buffer[], lineBytesMax: number): Promise<readonly string[]> {
  const lines: string[] = [];
  const sent = (async function* () {
    for (const chunk of chunks) {
      const reused = Buffer.from(chunk);
      yield await Promise.resolve(reused);
      reused.fill('!');
    }
  })();
  for await (const line of linesOf(sent, lineBytesMax)) lines.push(line.toString('latin1'));
  return lines;
}

it('gives the lines of a text however it is cut into chunks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.stringMatching(/^[ab]{0,9}$/)), fc.array(fc.nat(20)), fc.boolean(), async (lines, cuts, ends) => {
      const text = Buffer.from(lines.map((line) => `${line}\n`).join('') + (ends ? '' : 'rest'));
      const chunks: Buffer[] = [];
      let at = 0;
      for (const cut of [...cuts, text.length]) {
        chunks.push(text.subarray(at, at + cut));
        at += cut;
      }
      expect(await split(chunks, 9)).toEqual([...lines, ...(ends ? [] : ['rest'])]);
    }),
  );
});

it('cuts a line that is too long, to one byte more than is allowed, and keeps no more of it', async () => {
  const chunks = ['ab', 'c\nx'.padEnd(50_000, 'x'), 'y'.repeat(50_000), '\nabcd'].map((text) => Buffer.from(text));
  expect(await split(chunks, 4)).toEqual(['abc', 'xxxxx', 'abcd']);
});
