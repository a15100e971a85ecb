// Progress of long work: on a terminal the current step moves in one line, elsewhere each finished step is a line.
import { type Cancel, type Timers } from '../support/clock.ts';
import { type Terminal, withoutControl } from './terminal.ts';

export interface Progress {
  /** Begins a step, or says how far it is. */
  running(title: string, text: string): void;
  /** Ends a step for good. */
  done(title: string, text: string): void;
  /** A line of somebody else's output within the step. */
  output(line: string): void;
  /** Leaves the terminal as it was found; also after a failure. */
  close(): void;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
const TITLE_WIDTH = 10;
const CLEAR_LINE = '\r\u001b[2K';

export const silentProgress: Progress = {
  running: () => undefined,
  done: () => undefined,
  output: () => undefined,
  close: () => undefined,
};

export function createProgress(terminal: Terminal, timers: Timers): Progress {
  return terminal.stderr.isTerminal ? new MovingProgress(terminal, timers) : new PlainProgress(terminal);
}

class PlainProgress implements Progress {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  running(): void {
    // Only what is finished is a line: logs of a CI run stay short.
  }

  done(title: string, text: string): void {
    this.#terminal.say(`  ${title.padEnd(TITLE_WIDTH)} ${text}`);
  }

  output(line: string): void {
    if (line.trim() === '') return;
    this.#terminal.say(`  ${' '.repeat(TITLE_WIDTH)} | ${withoutControl(line)}`);
  }

  close(): void {
    // Nothing moves.
  }
}

class MovingProgress implements Progress {
  readonly #terminal: Terminal;
  readonly #cancel: Cancel;
  #frame = 0;
  #current: string | undefined;

  constructor(terminal: Terminal, timers: Timers) {
    this.#terminal = terminal;
    this.#cancel = timers.every(FRAME_MS, () => {
      this.#frame = (this.#frame + 1) % FRAMES.length;
      this.#draw();
    });
  }

  running(title: string, text: string): void {
    this.#current = `${title.padEnd(TITLE_WIDTH)} ${text}`;
    this.#draw();
  }

  done(title: string, text: string): void {
    this.#current = undefined;
    this.#terminal.stderr.write(`${CLEAR_LINE}${this.#terminal.errColours.green('✔')} ${title.padEnd(TITLE_WIDTH)} ${text}\n`);
  }

  output(line: string): void {
    if (line.trim() === '') return;
    this.#terminal.stderr.write(
      `${CLEAR_LINE}  ${' '.repeat(TITLE_WIDTH)} ${this.#terminal.errColours.dim(`| ${withoutControl(line)}`)}\n`,
    );
    this.#draw();
  }

  close(): void {
    this.#cancel();
    this.#terminal.stderr.write(CLEAR_LINE);
  }

  #draw(): void {
    if (this.#current === undefined) return;
    const text = this.#current.slice(0, Math.max(10, this.#terminal.stderr.columns - 3));
    this.#terminal.stderr.write(`${CLEAR_LINE}${this.#terminal.errColours.cyan(FRAMES[this.#frame] ?? '')} ${text}`);
  }
}
