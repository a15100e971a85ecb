// Which system calls an app may make, each group with its reason. Everything else is answered with ENOSYS, as by a kernel
// that does not have it, so that a C library falls back to what it did before.
//
// A list of what is allowed, rather than of what is not: a kernel gets new calls with each version and the most recent code
// is where most holes are found; with a list of refusals an app would have them the day the operator upgrades. The price is
// that a new call that a runtime could use stays unused until it is listed here, which costs speed and breaks nothing.
//
// Calls that are refused by name get EPERM, which says what it is: the answer of a kernel that has the call and forbids it.
// Builds have the same rules: npm, pip, gcc and make need no more than apps do.
import { type SystemCallName } from './numbers.ts';

/** Error numbers of Linux, the same on x86_64 and aarch64. */
export const ERRNO = { EPERM: 1, EINVAL: 22, ENOSYS: 38, EPROTONOSUPPORT: 93, EAFNOSUPPORT: 97 } as const;
export type Verdict = 'allow' | keyof typeof ERRNO;

/** Of an argument the low 32 bits are looked at: each one named here is an int or 32 bits of flags to the kernel. */
export type ArgumentTest =
  | { readonly argument: number; readonly anyBitOf: number }
  | { readonly argument: number; readonly oneOf: readonly number[]; readonly mask?: number };

/** The first case of which all tests hold gives the verdict; without any, `otherwise` does. */
export interface Cases {
  readonly cases: readonly { readonly when: readonly ArgumentTest[]; readonly then: Verdict }[];
  readonly otherwise: Verdict;
}

export interface SystemCallRule {
  readonly reason: string;
  readonly calls: readonly SystemCallName[];
  readonly verdict: Verdict | Cases;
}

const allow = (reason: string, calls: string): SystemCallRule => ({ reason, calls: split(calls), verdict: 'allow' });
const refuse = (reason: string, calls: string): SystemCallRule => ({ reason, calls: split(calls), verdict: 'EPERM' });
const absent = (reason: string, calls: string): SystemCallRule => ({ reason, calls: split(calls), verdict: 'ENOSYS' });
/** A test shows that each word is a call that numbers.ts knows. */
const split = (calls: string): readonly SystemCallName[] => calls.trim().split(/\s+/) as SystemCallName[];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NAMESPACES = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;
/** CLONE_NEWTIME. In clone(2) the same bit is part of the signal that a child ends with. */
const TIME_NAMESPACE = 0x80;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
const TIOCSETD = 0x5423;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** The rest of a socket's type is SOCK_CLOEXEC and SOCK_NONBLOCK. */
const SOCK_TYPE_MASK = 0xf;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
/** PER_LINUX, PER_LINUX32, each with UNAME26 too, and the question what it is. */
const PERSONALITIES = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
/**
 * In words: parent's death signal, dumpable, keep capabilities, name, seccomp (own filters on top of this one), bounding set
 * and securebits read, ambient capabilities, timer slack, child subreaper, no new privileges, thread id address, huge pages, vector length,
 * speculation, pointer authentication and tagged addresses, memory-deny-write-execute, names of mappings, ptracer, auxv.
 */
const PRCTL_OPTIONS = [
  1, 2, 3, 4, 7, 8, 15, 16, 21, 22, 23, 27, 29, 30, 36, 37, 38, 39, 40, 41, 42, 47, 50, 51, 52, 53, 54, 55, 56, 63, 64, 65, 66, 0x4155_5856,
  0x5356_4d41, 0x5961_6d61,
];

export const SYSTEM_CALL_RULES: readonly SystemCallRule[] = [
  allow(
    'Files by descriptor: an app has those that it could open',
    `read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 lseek close close_range dup dup2 dup3 fcntl flock fstat
     fsync fdatasync sync syncfs sync_file_range ftruncate fallocate fadvise64 readahead getdents getdents64 fchdir fchmod fchown fstatfs
     copy_file_range sendfile splice tee pipe pipe2 cachestat fgetxattr flistxattr fsetxattr fremovexattr`,
  ),
  allow(
    'Files by name: there are only those that the sandbox shows, and most of them read-only',
    `open openat openat2 creat access faccessat faccessat2 stat lstat newfstatat statx statfs readlink readlinkat getcwd chdir rename
     renameat renameat2 mkdir mkdirat rmdir unlink unlinkat link linkat symlink symlinkat mknod mknodat chmod fchmodat fchmodat2 chown lchown
     fchownat truncate utime utimes utimensat futimesat umask getxattr lgetxattr listxattr llistxattr setxattr lsetxattr removexattr
     lremovexattr getxattrat listxattrat setxattrat removexattrat file_getattr name_to_handle_at inotify_init inotify_init1 inotify_add_watch
     inotify_rm_watch`,
  ),
  allow(
    'Memory of its own: the control group bounds it, and just-in-time compilers need it writable, then executable',
    `mmap munmap mprotect mremap msync mincore madvise brk mlock mlock2 mlockall munlock munlockall memfd_create pkey_mprotect pkey_alloc
     pkey_free mseal map_shadow_stack membarrier`,
  ),
  allow(
    'Processes and threads of its own: counted by the control group; other instances have process ids of their own',
    `fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill pidfd_open pidfd_send_signal set_tid_address gettid getpid
     getppid getpgid getpgrp setpgid getsid setsid arch_prctl set_thread_area get_thread_area set_robust_list get_robust_list rseq futex
     futex_waitv futex_wake futex_wait futex_requeue restart_syscall process_madvise process_mrelease getcpu`,
  ),
  allow(
    'Signals',
    `rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend sigaltstack pause
     signalfd signalfd4`,
  ),
  allow(
    'Time: read, waited for, never set',
    `time gettimeofday clock_gettime clock_getres nanosleep clock_nanosleep alarm getitimer setitimer timer_create timer_settime timer_gettime
     timer_getoverrun timer_delete timerfd_create timerfd_settime timerfd_gettime times`,
  ),
  allow(
    'Waiting for events',
    `poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 io_setup io_destroy
     io_submit io_cancel io_getevents io_pgetevents`,
  ),
  allow(
    'Sockets that it could make: see `socket` for which kinds',
    `connect accept accept4 bind listen shutdown getsockname getpeername getsockopt setsockopt sendto recvfrom sendmsg recvmsg sendmmsg
     recvmmsg`,
  ),
  allow(
    'Shared memory, semaphores and queues: of the namespace of this instance alone',
    `shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive
     mq_notify mq_getsetattr`,
  ),
  allow(
    'Who it is: without capabilities these change nothing that it has not',
    `getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid
     setgroups capget capset`,
  ),
  allow(
    'Scheduling and limits, within what the machine gave it',
    `sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_getattr
     sched_setattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval getpriority setpriority ioprio_get ioprio_set getrlimit
     setrlimit prlimit64 getrusage`,
  ),
  allow('What the machine is', 'uname sysinfo getrandom'),
  allow(
    'To restrict itself further, as sandboxes within an app do',
    'seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self',
  ),
  {
    reason: 'A process or thread, but no new namespace: within one of its own an app is root to code that is full of holes',
    calls: ['clone'],
    verdict: { cases: [{ when: [{ argument: 0, anyBitOf: NAMESPACES }], then: 'EPERM' }], otherwise: 'allow' },
  },
  absent('The same with its flags in memory, where a filter cannot look: without it the C library uses clone', 'clone3'),
  {
    reason: 'As clone: what is shared between threads may be parted, into no new namespace',
    calls: ['unshare'],
    verdict: { cases: [{ when: [{ argument: 0, anyBitOf: NAMESPACES | TIME_NAMESPACE }], then: 'EPERM' }], otherwise: 'allow' },
  },
  {
    reason: 'Devices: but no typing into a terminal (TIOCSTI, TIOCLINUX) and no line discipline, which loads drivers (TIOCSETD)',
    calls: ['ioctl'],
    verdict: { cases: [{ when: [{ argument: 1, oneOf: [TIOCSTI, TIOCLINUX, TIOCSETD] }], then: 'EPERM' }], otherwise: 'allow' },
  },
  {
    reason:
      'Unix, TCP and UDP. Every other family (netlink, packet, vsock, AF_ALG, …) and protocol is a driver that it would load. Libraries take the refusal of netlink as a machine that has none',
    calls: ['socket'],
    verdict: {
      cases: [
        { when: [{ argument: 0, oneOf: [AF_UNIX] }], then: 'allow' },
        {
          when: [
            { argument: 0, oneOf: [AF_INET, AF_INET6] },
            { argument: 1, oneOf: [SOCK_STREAM, SOCK_DGRAM], mask: SOCK_TYPE_MASK },
            { argument: 2, oneOf: [0, IPPROTO_TCP, IPPROTO_UDP] },
          ],
          then: 'allow',
        },
        {
          when: [
            { argument: 0, oneOf: [AF_INET, AF_INET6] },
            { argument: 1, oneOf: [SOCK_STREAM, SOCK_DGRAM], mask: SOCK_TYPE_MASK },
          ],
          then: 'EPROTONOSUPPORT',
        },
        { when: [{ argument: 0, oneOf: [AF_INET, AF_INET6] }], then: 'EPERM' },
      ],
      otherwise: 'EAFNOSUPPORT',
    },
  },
  {
    reason: 'Pairs of unix sockets, which is how runtimes talk to their children',
    calls: ['socketpair'],
    verdict: { cases: [{ when: [{ argument: 0, oneOf: [AF_UNIX] }], then: 'allow' }], otherwise: 'EAFNOSUPPORT' },
  },
  {
    reason: 'Only what leaves address randomisation and the checks of memory as they are',
    calls: ['personality'],
    verdict: { cases: [{ when: [{ argument: 0, oneOf: PERSONALITIES }], then: 'allow' }], otherwise: 'EPERM' },
  },
  {
    reason: 'Options that runtimes use; others are unknown to it, as to an older kernel',
    calls: ['prctl'],
    verdict: { cases: [{ when: [{ argument: 0, oneOf: PRCTL_OPTIONS }], then: 'allow' }], otherwise: 'EINVAL' },
  },
  refuse(
    'Memory and descriptors of other processes: debugging stays outside, and a bug in its checks reaches everything of the same user',
    'ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd',
  ),
  refuse(
    'Namespaces and mounts, which make the sandbox: an app changes nothing of it',
    `mount umount2 pivot_root chroot setns fsopen fsconfig fsmount fspick move_mount open_tree open_tree_attr mount_setattr`,
  ),
  refuse('Programs in the kernel, and what reads its memory by design or by mistake', 'bpf perf_event_open userfaultfd'),
  absent(
    'A second way to make nearly every call, past this filter; libuv and the like do without',
    'io_uring_setup io_uring_enter io_uring_register',
  ),
  refuse('Keys: not in any namespace, so they would be shared with the host', 'add_key request_key keyctl'),
  refuse('Another kernel, or code for this one', 'kexec_load kexec_file_load create_module init_module finit_module delete_module'),
  refuse('Files by handle, past every mount and directory mode', 'open_by_handle_at'),
  refuse(
    "The machine's clock, name, power, swap, quotas, accounting and log",
    `settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname reboot swapon swapoff quotactl quotactl_fd acct syslog vhangup`,
  ),
  refuse("The machine's ports and segments", 'iopl ioperm modify_ldt'),
  refuse('Events of whole file systems', 'fanotify_init fanotify_mark'),
  absent(
    'Placement of memory on nodes, with a history of holes; without it libraries take the machine for one of a single node',
    'mbind set_mempolicy get_mempolicy set_mempolicy_home_node migrate_pages move_pages',
  ),
  absent('Pages given away, and memory hidden from the kernel: no runtime needs them', 'vmsplice memfd_secret remap_file_pages'),
];
