import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { TerminalPasswordSource } from './password-source.ts';

const terminal = (): {
  input: PassThrough & { isTTY: boolean; modes: boolean[]; setRawMode: (mode: boolean) => void };
  shown: () => string;
  source: TerminalPasswordSource;
} => {
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), { isTTY: true, modes, setRawMode: (mode: boolean) => void modes.push(mode) });
  let text = '';
  const source = new TerminalPasswordSource(input, (written) => (text += written));
  return { input, shown: () => text, source };
};

it('reads a line from a terminal without showing it', async () => {
  const { input, shown, source } = terminal();
  const answer = source.ask('Password: ');
  input.write('difg');
  input.write('\u007fference ü\r');
  expect(await answer).toBe('difference ü');
  expect(shown()).toBe('Password: \n');
  expect(input.modes).toEqual([true, false]);
});

it.each(['\u0003', '\u0004'])('ends with %j, the terminal as it was', async (key) => {
  const { input, source } = terminal();
  const answer = source.ask('Password: ');
  input.write(`abc${key}`);
  await expect(answer).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(input.modes).toEqual([true, false]);
});

it('asks nothing where there is no terminal', async () => {
  await expect(new TerminalPasswordSource(new PassThrough(), () => undefined).ask('Password: ')).rejects.toMatchObject({ code: 'USAGE' });
});

it.each([
  ['difference\n', 'difference'],
  ['difference\r\n', 'difference'],
  [' with spaces ', ' with spaces '],
  ['two\nlines\n', 'two\nlines'],
])('takes %j from a pipe as %j', async (text, password) => {
  const input = new PassThrough();
  input.end(text);
  expect(await new TerminalPasswordSource(input, () => undefined).fromInput()).toBe(password);
});

it('refuses a pipe without end', async () => {
  const input = new PassThrough();
  input.end('x'.repeat(100_000));
  await expect(new TerminalPasswordSource(input, () => undefined).fromInput()).rejects.toMatchObject({ code: 'USAGE' });
});
