// A standard stream of this process as the terminal prints to it.
import { isatty } from 'node:tty';
import { type OutputStream } from './terminal.ts';

const COLUMNS_DEFAULT = 80;

export function streamOf(target: NodeJS.WriteStream & { readonly fd: number }): OutputStream {
  return {
    write: (text) => {
      target.write(text);
    },
    isTerminal: isatty(target.fd),
    get columns() {
      return target.columns || COLUMNS_DEFAULT;
    },
  };
}
