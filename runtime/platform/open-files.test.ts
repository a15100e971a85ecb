import { expect, it } from 'vitest';
import { openFilesMax, parseOpenFiles } from './open-files.ts';

const line = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft.padEnd(20)} 1048576              files\n`;

it.each([
  [line('4096'), 4_096],
  [line('unlimited'), undefined],
  ['', undefined],
])('the soft limit is what counts', (text, want) => {
  expect(parseOpenFiles(text)).toBe(want);
});

it.runIf(process.platform === 'linux')('this process has one', () => {
  expect(openFilesMax()).toBeGreaterThan(100);
});
