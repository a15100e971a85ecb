// The compiled program is run by a small interpreter of classic BPF, which shares no code with the compiler; that the
// kernel agrees is shown by tests/hostile/sandbox-kernel.test.ts.
import fc from 'fast-check';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Architecture, ARCHITECTURES, compileFilter, systemCallFilter } from './filter.ts';
import { SYSTEM_CALL_NUMBERS, type SystemCallName } from './numbers.ts';
import { ERRNO, SYSTEM_CALL_RULES, type SystemCallRule } from './rules.ts';

const AUDIT_ARCH_I386 = 0x4000_0003;
const names = Object.keys(SYSTEM_CALL_NUMBERS) as SystemCallName[];
const architectures: Architecture[] = ['x86_64', 'aarch64'];
const programs = { x86_64: systemCallFilter('x86_64'), aarch64: systemCallFilter('aarch64') };

/** What the kernel would do: 'allow', 'kill' or the name of an error. */
function run(program: Buffer, audit: number, number: number, args: readonly bigint[]): string {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(audit, 4);
  for (const [index, value] of args.entries()) data.writeBigUInt64LE(BigInt.asUintN(64, value), 16 + index * 8);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    // Jumps lead forward only, so this ends.
    if (at * 8 >= program.length) throw new Error('it runs off its end');
    const code = program.readUInt16LE(at * 8);
    const k = program.readUInt32LE(at * 8 + 4);
    const jump = (holds: boolean): void => {
      at += program.readUInt8(at * 8 + (holds ? 2 : 3));
    };
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else if (code === 0x06) return verdictOf(k);
    else throw new Error(`the kernel refuses the instruction ${code}`);
  }
}

function verdictOf(value: number): string {
  if (value === 0x7fff_0000) return 'allow';
  if (value === 0x8000_0000) return 'kill';
  const error = Object.entries(ERRNO).find(([, number]) => value === (0x0005_0000 | number));
  return error?.[0] ?? `?${value}`;
}

const numberOf = (name: SystemCallName, architecture: Architecture): number | undefined =>
  (SYSTEM_CALL_NUMBERS[name] as readonly number[])[ARCHITECTURES[architecture].column];

/** Undefined where that architecture has no such call. */
function ask(architecture: Architecture, name: SystemCallName, ...args: (bigint | number)[]): string | undefined {
  const number = numberOf(name, architecture);
  return number === undefined ? undefined : run(programs[architecture], ARCHITECTURES[architecture].audit, number, args.map(BigInt));
}

/** What the rules say, read as a person would. */
function meant(rules: readonly SystemCallRule[], name: SystemCallName | undefined, args: readonly bigint[]): string {
  const rule = rules.find(({ calls }) => name !== undefined && calls.includes(name));
  if (!rule) return 'ENOSYS';
  if (typeof rule.verdict === 'string') return rule.verdict;
  const low = args.map((value) => BigInt.asUintN(32, value));
  const found = rule.verdict.cases.find(({ when }) =>
    when.every((test) => {
      const value = low[test.argument] ?? 0n;
      if ('anyBitOf' in test) return (value & BigInt.asUintN(32, BigInt(test.anyBitOf))) !== 0n;
      return test.oneOf.map(BigInt).includes(value & BigInt(test.mask ?? 0xffff_ffff));
    }),
  );
  return found?.then ?? rule.verdict.otherwise;
}

describe.each(architectures)('the filter of %s', (architecture) => {
  it('is short enough for the kernel', () => {
    expect(programs[architecture].length / 8).toBeLessThan(1_000);
  });

  it('does what the rules say, for every number and for arguments of all kinds', () => {
    const nameOf = new Map(names.map((name) => [numberOf(name, architecture), name]));
    const interesting = SYSTEM_CALL_RULES.flatMap(({ verdict }) =>
      typeof verdict === 'string'
        ? []
        : verdict.cases.flatMap(({ when }) => when.flatMap((test) => ('oneOf' in test ? test.oneOf : [test.anyBitOf]))),
    );
    const argument = fc.oneof(
      fc.constantFrom(...interesting).map(BigInt),
      fc.nat(31).map((bit) => 1n << BigInt(bit)),
      fc.nat(300).map(BigInt),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      // Bits that the kernel cuts off must not lead past a comparison.
      fc.constantFrom(...interesting).map((value) => BigInt.asUintN(32, BigInt(value)) | (1n << 40n)),
    );
    const checked = (number: number, args: readonly bigint[]): void => {
      expect(run(programs[architecture], ARCHITECTURES[architecture].audit, number, args)).toBe(
        meant(SYSTEM_CALL_RULES, nameOf.get(number), args),
      );
    };
    for (let number = 0; number < 600; number++) checked(number, [0n, 0n, 0n]);
    const decided = SYSTEM_CALL_RULES.flatMap(({ calls, verdict }) => (typeof verdict === 'string' ? [] : calls));
    const number = fc.oneof(
      fc.constantFrom(...decided.flatMap((name) => numberOf(name, architecture) ?? [])),
      fc.nat(600),
      fc.integer({ min: 0, max: 0xffff_ffff }),
    );
    fc.assert(fc.property(number, fc.tuple(argument, argument, argument), checked), { numRuns: 3_000 });
  });

  it('kills what calls as another architecture', () => {
    const others = [
      AUDIT_ARCH_I386,
      0,
      ...architectures.filter((other) => other !== architecture).map((other) => ARCHITECTURES[other].audit),
    ];
    for (const audit of others) expect(run(programs[architecture], audit, 0, [])).toBe('kill');
  });

  it('knows no x32 calls', () => {
    for (let number = 0; number < 600; number++) {
      expect(run(programs[architecture], ARCHITECTURES[architecture].audit, 0x4000_0000 + number, [])).toBe('ENOSYS');
    }
  });

  it('forbids new namespaces however they are asked for', () => {
    for (const flag of [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]) {
      expect(ask(architecture, 'clone', flag | 17)).toBe('EPERM');
      expect(ask(architecture, 'clone', (1n << 63n) | BigInt(flag))).toBe('EPERM');
      expect(ask(architecture, 'unshare', flag)).toBe('EPERM');
    }
    expect(ask(architecture, 'unshare', 0x80)).toBe('EPERM');
    expect(ask(architecture, 'clone3')).toBe('ENOSYS');
    // What fork and pthread_create ask for.
    expect(ask(architecture, 'clone', 0x120_0011)).toBe('allow');
    expect(ask(architecture, 'clone', 0x3d_0f00)).toBe('allow');
  });

  it('forbids typing into terminals, whatever the bits above the request', () => {
    for (const request of [0x5412n, 0x541cn, 0x5423n]) {
      expect(ask(architecture, 'ioctl', 0, request)).toBe('EPERM');
      expect(ask(architecture, 'ioctl', 0, request | (1n << 32n))).toBe('EPERM');
      expect(ask(architecture, 'ioctl', 0, request | 0xffff_ffff_0000_0000n)).toBe('EPERM');
    }
    for (const request of [0x5401, 0x5413, 0x5421, 0x541b]) expect(ask(architecture, 'ioctl', 0, request)).toBe('allow');
  });

  it('allows unix, TCP and UDP sockets alone', () => {
    const flags = 0o2004000;
    for (const family of [2, 10]) {
      for (const type of [1, 2, 1 | flags])
        for (const protocol of [0, 6, 17]) expect(ask(architecture, 'socket', family, type, protocol)).toBe('allow');
      for (const protocol of [1, 33, 58, 132, 136, 255, 262])
        expect(ask(architecture, 'socket', family, 2, protocol)).toBe('EPROTONOSUPPORT');
      for (const type of [3, 3 | flags, 4, 5, 6, 10]) expect(ask(architecture, 'socket', family, type, 0)).toBe('EPERM');
    }
    expect(ask(architecture, 'socket', 1, 1 | flags, 0)).toBe('allow');
    for (let family = 0; family < 60; family++) {
      if (![1, 2, 10].includes(family)) expect(ask(architecture, 'socket', family, 3, 0)).toBe('EAFNOSUPPORT');
      if (family !== 1) expect(ask(architecture, 'socketpair', family, 1, 0)).toBe('EAFNOSUPPORT');
    }
    expect(ask(architecture, 'socketpair', 1, 1, 0)).toBe('allow');
  });

  // Written out once more: an app without capabilities is refused most of these by the kernel itself, so that no hostile test
  // would miss one of them here.
  it('forbids by name what docs/security.md says that it does', () => {
    const forbidden: readonly SystemCallName[] = [
      ...(['ptrace', 'process_vm_readv', 'process_vm_writev', 'kcmp', 'pidfd_getfd'] as const),
      ...(['mount', 'umount2', 'pivot_root', 'chroot', 'setns', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'move_mount'] as const),
      ...(['open_tree', 'open_tree_attr', 'mount_setattr', 'open_by_handle_at'] as const),
      ...(['bpf', 'perf_event_open', 'userfaultfd', 'add_key', 'request_key', 'keyctl'] as const),
      ...(['kexec_load', 'kexec_file_load', 'init_module', 'finit_module', 'delete_module'] as const),
      ...(['settimeofday', 'clock_settime', 'adjtimex', 'clock_adjtime', 'sethostname', 'setdomainname', 'reboot'] as const),
      ...(['swapon', 'swapoff', 'quotactl', 'quotactl_fd', 'acct', 'syslog', 'vhangup', 'fanotify_init', 'fanotify_mark'] as const),
    ];
    for (const name of forbidden) expect([name, ask(architecture, name)]).toEqual([name, 'EPERM']);
    for (const name of ['io_uring_setup', 'io_uring_enter', 'io_uring_register'] as const) expect(ask(architecture, name)).toBe('ENOSYS');
    expect(ask(architecture, 'personality', 0x4_0000)).toBe('EPERM');
    expect(ask(architecture, 'prctl', 35)).toBe('EINVAL');
  });
});

describe('the rules', () => {
  it('name calls that exist, once each, each with a reason', () => {
    const all = SYSTEM_CALL_RULES.flatMap(({ calls }) => calls);
    expect(all.filter((name) => !names.includes(name))).toEqual([]);
    expect(all.filter((name, index) => all.indexOf(name) !== index)).toEqual([]);
    for (const { reason } of SYSTEM_CALL_RULES) expect(reason.length).toBeGreaterThan(5);
  });

  it('are compiled right whatever they are, long ones included', () => {
    const verdict = fc.constantFrom('allow' as const, 'EPERM' as const, 'ENOSYS' as const);
    const test = fc.oneof(
      fc.record({ argument: fc.nat(5), anyBitOf: fc.integer({ min: 1, max: 0xffff }) }),
      fc.record({ argument: fc.nat(5), oneOf: fc.array(fc.nat(20), { minLength: 1, maxLength: 200 }) }),
    );
    const cases = fc.record({
      cases: fc.array(fc.record({ when: fc.array(test, { minLength: 1, maxLength: 2 }), then: verdict }), { maxLength: 3 }),
      otherwise: verdict,
    });
    const rules = fc
      .uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 12 })
      .chain((calls) =>
        fc.tuple(
          ...calls.map((call) =>
            fc.oneof(verdict, cases).map((decision): SystemCallRule => ({ reason: '', calls: [call], verdict: decision })),
          ),
        ),
      );
    const args = fc.tuple(...Array.from({ length: 6 }, () => fc.nat(25).map(BigInt)));
    fc.assert(
      fc.property(rules, args, (some, values) => {
        const program = compileFilter('x86_64', some);
        const bytes = Buffer.concat(
          program.map(({ code, jt, jf, k }) => {
            const one = Buffer.alloc(8);
            one.writeUInt16LE(code, 0);
            one.writeUInt8(jt, 2);
            one.writeUInt8(jf, 3);
            one.writeUInt32LE(k >>> 0, 4);
            return one;
          }),
        );
        for (const name of names.slice(0, 300)) {
          const number = SYSTEM_CALL_NUMBERS[name][0];
          expect(run(bytes, ARCHITECTURES.x86_64.audit, number, values)).toBe(meant(some, name, values));
        }
      }),
      { numRuns: 60 },
    );
  });
});

const headers = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
describe.skipIf(!existsSync(headers))(`the numbers${existsSync(headers) ? '' : ' (SKIPPED: apt-get install linux-libc-dev)'}`, () => {
  it('of x86_64 are those of the kernel', () => {
    const theirs = [...readFileSync(headers, 'utf8').matchAll(/^#define __NR_(\w+) (\d+)$/gm)].map(([, name, number]) => [
      name,
      Number(number),
    ]);
    const known = new Set<string>(names);
    expect(
      theirs.filter(([name]) => known.has(String(name))).filter(([name, number]) => numberOf(name as SystemCallName, 'x86_64') !== number),
    ).toEqual([]);
    expect(theirs.length).toBeGreaterThan(300);
  });

  it('of aarch64 are those of the kernel', () => {
    const text = readFileSync('/usr/include/asm-generic/unistd.h', 'utf8');
    const theirs = [...text.matchAll(/^#define __NR(?:3264)?_(\w+) (\d+)$/gm)];
    const known = theirs
      .filter(([, name]) => names.includes(name as SystemCallName))
      .flatMap(([, name, number]) => {
        const ours = numberOf(name as SystemCallName, 'aarch64');
        return ours === undefined ? [] : [[name, ours, Number(number)] as const];
      });
    expect(known.filter(([, ours, number]) => ours !== number)).toEqual([]);
    expect(known.length).toBeGreaterThan(250);
  });

  it('of newer calls are the same on both, as the kernel gives them since 5.0', () => {
    for (const name of names) {
      const [first, second] = SYSTEM_CALL_NUMBERS[name] as readonly number[];
      if ((first ?? 0) >= 424) expect([name, second]).toEqual([name, first]);
    }
  });
});
