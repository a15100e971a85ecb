// A pattern as a small program that all possible matches run through in step, one pass over the text
// (Thompson 1968, Pike's captures; see Russ Cox, "Regular Expression Matching: the Virtual Machine Approach").
// Time is text × program at worst, whatever the pattern.
import { LIMITS } from '../sdk/contract/limits.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { assertNever } from '../sdk/support/assert.ts';
import { type CharacterRanges, type ParsedPattern, type PatternNode } from './url-pattern-syntax.ts';

type Instruction =
  | { readonly kind: 'character'; readonly ranges: CharacterRanges; readonly isNegated: boolean }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  | { readonly kind: 'save'; readonly slot: number }
  /** Tries `first` before `second`. */
  | { readonly kind: 'split'; first: number; second: number }
  | { readonly kind: 'jump'; target: number }
  | { readonly kind: 'match' };

/** Steps left for one request, shared by all its patterns. */
export interface StepBudget {
  steps: number;
}

/** The text of a match's groups; index 0 is the whole. A group that took no part is empty. */
export type Groups = readonly string[];

interface Thread {
  readonly at: number;
  /** Starts and ends of groups by slot; shared until changed. */
  readonly saved: readonly number[];
}

export class PatternProgram {
  readonly #instructions: Instruction[] = [];
  readonly #groups: number;
  /** Position at which an instruction was last reached, so that no instruction runs twice at one place. */
  readonly #seenAt: Int32Array;

  constructor(pattern: ParsedPattern) {
    this.#groups = pattern.groups;
    this.#compile(pattern.root);
    this.#emit({ kind: 'match' });
    this.#seenAt = new Int32Array(this.#instructions.length);
  }

  /** Matches the whole text. Throws ROUTE_BAD_REQUEST when the budget runs out. */
  match(text: string, budget: StepBudget): Groups | undefined {
    this.#seenAt.fill(-1);
    let threads: Thread[] = [];
    this.#add(threads, 0, 0, text, []);
    for (let position = 0; position < text.length && threads.length > 0; position++) {
      const code = text.charCodeAt(position);
      const next: Thread[] = [];
      budget.steps -= threads.length;
      if (budget.steps < 0) throw new PlatformError('ROUTE_BAD_REQUEST', 'the path takes too long to match');
      for (const thread of threads) {
        const instruction = this.#instructions[thread.at];
        if (instruction?.kind === 'character' && isIn(code, instruction)) this.#add(next, thread.at + 1, position + 1, text, thread.saved);
      }
      threads = next;
    }
    const matched = threads.find((thread) => this.#instructions[thread.at]?.kind === 'match');
    return matched && this.#groupsOf(matched.saved, text);
  }

  /** Follows everything that takes no character, in order of preference, and notes where characters are wanted. */
  #add(threads: Thread[], from: number, position: number, text: string, saved: readonly number[]): void {
    const stack: Thread[] = [{ at: from, saved }];
    for (let thread = stack.pop(); thread; thread = stack.pop()) {
      const { at } = thread;
      const instruction = this.#instructions[at];
      if (!instruction || this.#seenAt[at] === position) continue;
      this.#seenAt[at] = position;
      switch (instruction.kind) {
        case 'character':
          threads.push(thread);
          break;
        case 'match':
          if (position === text.length) threads.push(thread);
          break;
        case 'start':
          if (position === 0) stack.push({ at: at + 1, saved: thread.saved });
          break;
        case 'end':
          if (position === text.length) stack.push({ at: at + 1, saved: thread.saved });
          break;
        case 'save': {
          const changed = [...thread.saved];
          changed[instruction.slot] = position;
          stack.push({ at: at + 1, saved: changed });
          break;
        }
        case 'jump':
          stack.push({ at: instruction.target, saved: thread.saved });
          break;
        case 'split':
          stack.push({ at: instruction.second, saved: thread.saved }, { at: instruction.first, saved: thread.saved });
          break;
        default:
          assertNever(instruction);
      }
    }
  }

  #groupsOf(saved: readonly number[], text: string): Groups {
    const groups = [text];
    for (let group = 1; group <= this.#groups; group++) {
      const start = saved[2 * group];
      const end = saved[2 * group + 1];
      groups.push(start === undefined || end === undefined ? '' : text.slice(start, end));
    }
    return groups;
  }

  #compile(node: PatternNode): void {
    switch (node.kind) {
      case 'character':
      case 'start':
      case 'end':
        this.#emit(node);
        return;
      case 'sequence':
        for (const item of node.items) this.#compile(item);
        return;
      case 'group':
        if (node.group !== undefined) this.#emit({ kind: 'save', slot: 2 * node.group });
        this.#compile(node.body);
        if (node.group !== undefined) this.#emit({ kind: 'save', slot: 2 * node.group + 1 });
        return;
      case 'choice':
        this.#compileChoice(node.branches);
        return;
      case 'repeat':
        this.#compileRepeat(node);
        return;
      default:
        assertNever(node);
    }
  }

  #compileChoice(branches: readonly PatternNode[]): void {
    const jumps: { target: number }[] = [];
    for (const [index, branch] of branches.entries()) {
      if (index === branches.length - 1) {
        this.#compile(branch);
        break;
      }
      const split = this.#emit({ kind: 'split', first: this.#instructions.length + 1, second: 0 });
      this.#compile(branch);
      jumps.push(this.#emit({ kind: 'jump', target: 0 }));
      split.second = this.#instructions.length;
    }
    for (const jump of jumps) jump.target = this.#instructions.length;
  }

  #compileRepeat(node: PatternNode & { readonly kind: 'repeat' }): void {
    for (let count = 0; count < node.min; count++) this.#compile(node.body);
    if (node.max === Infinity) {
      const split = this.#emit({ kind: 'split', first: 0, second: 0 });
      const loop = this.#instructions.length - 1;
      this.#compile(node.body);
      this.#emit({ kind: 'jump', target: loop });
      this.#aim(split, loop + 1, this.#instructions.length, node.isLazy);
      return;
    }
    const splits: { readonly split: { first: number; second: number }; readonly body: number }[] = [];
    for (let count = node.min; count < node.max; count++) {
      const split = this.#emit({ kind: 'split', first: 0, second: 0 });
      splits.push({ split, body: this.#instructions.length });
      this.#compile(node.body);
    }
    for (const { split, body } of splits) this.#aim(split, body, this.#instructions.length, node.isLazy);
  }

  #aim(split: { first: number; second: number }, body: number, exit: number, isLazy: boolean): void {
    split.first = isLazy ? exit : body;
    split.second = isLazy ? body : exit;
  }

  #emit<T extends Instruction>(instruction: T): T {
    if (this.#instructions.length >= LIMITS.routePatternProgramMax) {
      throw new PlatformError('MANIFEST_INVALID', 'a url pattern with its repetitions is too large');
    }
    this.#instructions.push(instruction);
    return instruction;
  }
}

function isIn(code: number, { ranges, isNegated }: { readonly ranges: CharacterRanges; readonly isNegated: boolean }): boolean {
  for (const [low, high] of ranges) if (code >= low && code <= high) return !isNegated;
  return isNegated;
}
