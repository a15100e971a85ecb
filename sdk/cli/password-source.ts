// Where a password comes from: a terminal, without echo, or a pipe. Never the command line, which every user of the
// machine can read while it runs.
import { PlatformError } from '../contract/errors.ts';

export interface PasswordSource {
  /** Asks on the terminal. Throws USAGE where there is none. */
  ask(question: string): Promise<string>;
  /** Everything on standard input, without the last line end. */
  fromInput(): Promise<string>;
}

/** The part of `process.stdin` that is used here. */
export interface InputStream extends AsyncIterable<Buffer | string> {
  readonly isTTY?: boolean;
  setRawMode?(mode: boolean): unknown;
  setEncoding(encoding: 'utf8'): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: 'data', listener: (text: string) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  off(event: 'data', listener: (text: string) => void): unknown;
  off(event: 'end', listener: () => void): unknown;
}

const INPUT_CHARACTERS_MAX = 64 * 1024;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const BACKSPACES = ['\u0008', '\u007f'];

export class TerminalPasswordSource implements PasswordSource {
  readonly #input: InputStream;
  readonly #write: (text: string) => void;

  /** `write` says things on the terminal. */
  constructor(input: InputStream, write: (text: string) => void) {
    this.#input = input;
    this.#write = write;
  }

  async ask(question: string): Promise<string> {
    const input = this.#input;
    if (input.isTTY !== true || !input.setRawMode) {
      throw new PlatformError('USAGE', 'there is no terminal to ask for the password on; give it with --password-stdin');
    }
    this.#write(question);
    input.setRawMode(true);
    input.setEncoding('utf8');
    try {
      return await this.#line();
    } finally {
      input.setRawMode(false);
      input.pause();
      this.#write('\n');
    }
  }

  async fromInput(): Promise<string> {
    let text = '';
    for await (const chunk of this.#input) {
      text += chunk.toString();
      if (text.length > INPUT_CHARACTERS_MAX) throw new PlatformError('USAGE', 'standard input is too long for a password');
    }
    return text.replace(/\r?\n$/, '');
  }

  /** What is typed until Enter; in raw mode the terminal shows nothing and hands on every key. */
  #line(): Promise<string> {
    const input = this.#input;
    return new Promise((resolve, reject) => {
      let typed: string[] = [];
      const settle = (act: () => void): void => {
        input.off('data', onData);
        input.off('end', onEnd);
        act();
      };
      const interrupted = (): void => {
        settle(() => {
          reject(new PlatformError('CANCELLED', 'no password was given'));
        });
      };
      const onEnd = interrupted;
      const onData = (text: string): void => {
        for (const key of text) {
          if (key === '\r' || key === '\n') {
            settle(() => {
              resolve(typed.join(''));
            });
            return;
          }
          if (key === CTRL_C || key === CTRL_D) {
            interrupted();
            return;
          }
          if (BACKSPACES.includes(key)) typed = typed.slice(0, -1);
          else if (typed.length < INPUT_CHARACTERS_MAX) typed.push(key);
        }
      };
      input.on('data', onData);
      input.on('end', onEnd);
      input.resume();
    });
  }
}
