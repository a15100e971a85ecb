// Classic BPF, as far as a filter of system calls needs it: instructions, and their bytes. Linux: Documentation/networking/filter.rst.
//
//   program     := instruction*                        at most INSTRUCTIONS_MAX
//   instruction := code u16, jt u8, jf u8, k u32       in the byte order of the machine: little-endian on both that we know
//
// A jump skips `jt` instructions when its test holds, else `jf`. What is loaded is struct seccomp_data of seccomp(2).
import { assert } from '../../../sdk/support/assert.ts';

export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** BPF_MAXINSNS. */
export const INSTRUCTIONS_MAX = 4_096;
const SKIP_MAX = 255;

/** Opcodes: class, size or operation, and mode, added up. */
export const CODE = {
  load: 0x20,
  jumpAlways: 0x05,
  jumpEqual: 0x15,
  jumpAtLeast: 0x35,
  jumpAnyBit: 0x45,
  and: 0x54,
  return: 0x06,
} as const;

/** Offsets within struct seccomp_data. */
export const NUMBER_OFFSET = 0;
export const ARCHITECTURE_OFFSET = 4;
const ARGUMENTS_OFFSET = 16;
const ARGUMENT_BYTES = 8;

/** The low half of an argument: what the kernel itself looks at where the argument is an int. */
export const argumentOffset = (argument: number): number => ARGUMENTS_OFFSET + argument * ARGUMENT_BYTES;

const plain = (code: number, k: number): Instruction => ({ code, jt: 0, jf: 0, k });

/** Loads 32 bits of the call's description. */
export const load = (offset: number): Instruction => plain(CODE.load, offset);
export const give = (verdict: number): Instruction => plain(CODE.return, verdict);

/** Leaves the bits of `mask` of what was loaded. */
export const keepBits = (mask: number): Instruction => plain(CODE.and, mask);

/** `test` against `k`: goes on with `then` where it holds, else with `otherwise`. Both must end by themselves. */
export function branch(
  test: 'jumpAtLeast' | 'jumpAnyBit',
  k: number,
  then: readonly Instruction[],
  otherwise: readonly Instruction[],
): readonly Instruction[] {
  const code = CODE[test];
  if (then.length <= SKIP_MAX) return [{ code, jt: 0, jf: then.length, k }, ...then, ...otherwise];
  // A conditional jump reaches 255 instructions, an unconditional one all.
  return [{ code, jt: 1, jf: 0, k }, plain(CODE.jumpAlways, then.length), ...then, ...otherwise];
}

/** As `branch`, where what was loaded is one of `values`. */
export function branchOneOf(
  values: readonly number[],
  then: readonly Instruction[],
  otherwise: readonly Instruction[],
): readonly Instruction[] {
  assert(values.length <= SKIP_MAX, 'the first test reaches what comes after the last');
  const tests = values.map((k, index) => ({ code: CODE.jumpEqual, jt: values.length - index, jf: 0, k }));
  return [...tests, plain(CODE.jumpAlways, then.length), ...then, ...otherwise];
}

export function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    const at = index * 8;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(jt, at + 2);
    bytes.writeUInt8(jf, at + 3);
    bytes.writeUInt32LE(k, at + 4);
  }
  return bytes;
}
