import { type DeployEvent, type DeployStep } from '../../sdk/contract/admin/admin.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

const TAIL_LINES = 40;
const LINE_CHARACTERS_MAX = 2_000;

/** A build's lines on their way to the developer: cut, counted, and the newest kept to explain a failure. */
export class DeployOutput {
  readonly #step: DeployStep;
  readonly #onEvent: (event: DeployEvent) => void;
  readonly #tail: string[] = [];
  #lines = 0;

  constructor(step: DeployStep, onEvent: (event: DeployEvent) => void) {
    this.#step = step;
    this.#onEvent = onEvent;
  }

  /** The newest lines. */
  get tail(): string {
    return this.#tail.join('\n');
  }

  line(text: string): void {
    const line = text.length > LINE_CHARACTERS_MAX ? `${text.slice(0, LINE_CHARACTERS_MAX)}…` : text;
    this.#tail.push(line);
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    this.#lines++;
    if (this.#lines <= LIMITS.buildOutputLinesMax) this.#onEvent({ kind: 'output', step: this.#step, line });
    else if (this.#lines === LIMITS.buildOutputLinesMax + 1) {
      this.#onEvent({ kind: 'output', step: this.#step, line: `(further lines are not shown: more than ${LIMITS.buildOutputLinesMax})` });
    }
  }
}
