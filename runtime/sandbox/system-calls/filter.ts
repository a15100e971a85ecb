// Compiles rules of system calls into the program that the kernel runs before each call: seccomp(2).
//
// The program first looks at the architecture, because the same number is another call on another one: whoever comes from
// one that is not ours (32-bit code on a 64-bit machine) is killed. Then it searches the number by halving, in about nine
// steps; newer kernels remember which numbers are allowed whatever their arguments and do not even run it for them.
import { assert } from '../../../sdk/support/assert.ts';
import {
  ARCHITECTURE_OFFSET,
  argumentOffset,
  branch,
  branchOneOf,
  encode,
  give,
  INSTRUCTIONS_MAX,
  type Instruction,
  keepBits,
  load,
  NUMBER_OFFSET,
} from './bpf.ts';
import { SYSTEM_CALL_NUMBERS, type SystemCallName } from './numbers.ts';
import { type ArgumentTest, type Cases, ERRNO, SYSTEM_CALL_RULES, type SystemCallRule, type Verdict } from './rules.ts';

export type Architecture = 'x86_64' | 'aarch64';

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 of linux/audit.h, and which column of the numbers is theirs. */
export const ARCHITECTURES = { x86_64: { audit: 0xc000_003e, column: 0 }, aarch64: { audit: 0xc000_00b7, column: 1 } } as const;

/** SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO and SECCOMP_RET_KILL_PROCESS. */
export const RETURN = { allow: 0x7fff_0000, errno: 0x0005_0000, kill: 0x8000_0000 } as const;

/** Numbers from here on are the x32 twins of x86_64's calls. */
const X32_NUMBERS = 0x4000_0000;

/** By Node's name of it; undefined where there is no filter yet. */
export function architectureOf(nodeName: string): Architecture | undefined {
  if (nodeName === 'x64') return 'x86_64';
  return nodeName === 'arm64' ? 'aarch64' : undefined;
}

/** The bytes of the filter, for bubblewrap's `--seccomp`. */
export function systemCallFilter(architecture: Architecture): Buffer {
  return encode(compileFilter(architecture, SYSTEM_CALL_RULES));
}

export function compileFilter(architecture: Architecture, rules: readonly SystemCallRule[]): readonly Instruction[] {
  const { audit } = ARCHITECTURES[architecture];
  const program = [
    load(ARCHITECTURE_OFFSET),
    ...branchOneOf([audit], [load(NUMBER_OFFSET), ...numberSearch(rangesOf(verdicts(architecture, rules)))], [give(RETURN.kill)]),
  ];
  assert(program.length <= INSTRUCTIONS_MAX, 'the kernel takes the program');
  return program;
}

type Decision = Verdict | Cases;

/** Numbers from `first` up to the next range's. */
interface Range {
  readonly first: number;
  readonly decision: Decision;
}

function verdicts(architecture: Architecture, rules: readonly SystemCallRule[]): ReadonlyMap<number, Decision> {
  const { column } = ARCHITECTURES[architecture];
  const byNumber = new Map<number, Decision>();
  for (const { calls, verdict } of rules) {
    for (const name of calls) {
      const number = numberOf(name, column);
      if (number === undefined) continue;
      assert(!byNumber.has(number), `one rule decides on ${name}`);
      byNumber.set(number, verdict);
    }
  }
  return byNumber;
}

function numberOf(name: SystemCallName, column: 0 | 1): number | undefined {
  const numbers: readonly number[] = SYSTEM_CALL_NUMBERS[name];
  return numbers[column];
}

function rangesOf(byNumber: ReadonlyMap<number, Decision>): readonly Range[] {
  const ranges: Range[] = [];
  const add = (first: number, decision: Decision): void => {
    if (ranges.at(-1)?.decision !== decision) ranges.push({ first, decision });
  };
  const last = Math.max(...byNumber.keys());
  for (let number = 0; number <= last; number++) add(number, byNumber.get(number) ?? 'ENOSYS');
  add(last + 1, 'ENOSYS');
  return ranges;
}

/** Where a number is no call of ours, x32's twins among them, the last range says so. */
function numberSearch(ranges: readonly Range[]): readonly Instruction[] {
  const [only] = ranges;
  assert(only, 'there is a range for every number');
  if (ranges.length === 1) return decide(only.decision);
  const middle = Math.floor(ranges.length / 2);
  const pivot = ranges[middle];
  assert(pivot && pivot.first < X32_NUMBERS, 'numbers are below those of x32');
  return branch('jumpAtLeast', pivot.first, numberSearch(ranges.slice(middle)), numberSearch(ranges.slice(0, middle)));
}

function decide(decision: Decision): readonly Instruction[] {
  if (typeof decision === 'string') return [give(returnOf(decision))];
  return decision.cases.reduceRight<readonly Instruction[]>(
    (otherwise, { when, then }) => tested(when, [give(returnOf(then))], otherwise),
    [give(returnOf(decision.otherwise))],
  );
}

/** `then` where all of `tests` hold. What comes otherwise is written once for each test, which is short. */
function tested(tests: readonly ArgumentTest[], then: readonly Instruction[], otherwise: readonly Instruction[]): readonly Instruction[] {
  const [test, ...rest] = tests;
  if (test === undefined) return then;
  const holds = tested(rest, then, otherwise);
  const argument = load(argumentOffset(test.argument));
  if ('anyBitOf' in test) return [argument, ...branch('jumpAnyBit', test.anyBitOf, holds, otherwise)];
  const narrowed = test.mask === undefined ? [argument] : [argument, keepBits(test.mask)];
  return [...narrowed, ...branchOneOf(test.oneOf, holds, otherwise)];
}

function returnOf(verdict: Verdict): number {
  return verdict === 'allow' ? RETURN.allow : RETURN.errno | ERRNO[verdict];
}
