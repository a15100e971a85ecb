// Makes system calls by number inside a sandbox, through Python's ctypes: what a hostile app does whose runtime has no
// function for them.
import { existsSync } from 'node:fs';
import { architectureOf, ARCHITECTURES } from '../../runtime/sandbox/system-calls/filter.ts';
import { SYSTEM_CALL_NUMBERS, type SystemCallName } from '../../runtime/sandbox/system-calls/numbers.ts';

/** Undefined when it can be done here; else why not. The sandbox shows /usr alone. */
export const rawSystemCallsSkip = existsSync('/usr/bin/python3') ? undefined : 'no /usr/bin/python3: apt-get install python3-minimal';

export interface RawCall {
  readonly name: SystemCallName;
  /** Numbers; a string becomes a pointer to it, 'buffer' to 4 KiB of zeros; 'self' is the caller's process. */
  readonly args: readonly (number | bigint | string)[];
}

const PROGRAM = `
import ctypes, errno, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def argument(value):
    if value == 'buffer': return ctypes.c_void_p(ctypes.addressof(room))
    if value == 'self': return ctypes.c_ulong(os.getpid())
    if not value.startswith('#'): return ctypes.c_char_p(value.encode())
    return ctypes.c_ulong(int(value[1:]))
for number, args in json.loads(sys.argv[1]):
    room = ctypes.create_string_buffer(4096)
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[argument(value) for value in args])
    print('ok' if result != -1 else errno.errorcode.get(ctypes.get_errno(), '?'), flush=True)
`;

/** Prints for each call `ok`, or the name of its error. */
export function rawCallsCommand(calls: readonly RawCall[]): readonly string[] {
  const rows = calls.map(({ name, args }) => [numberOf(name), args.map((value) => (typeof value === 'string' ? value : `#${value}`))]);
  return ['/usr/bin/python3', '-c', PROGRAM, JSON.stringify(rows)];
}

function numberOf(name: SystemCallName): number {
  const architecture = architectureOf(process.arch) ?? 'x86_64';
  const number = (SYSTEM_CALL_NUMBERS[name] as readonly number[])[ARCHITECTURES[architecture].column];
  if (number === undefined) throw new Error(`${name} is no call of ${architecture}`);
  return number;
}
