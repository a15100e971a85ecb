// The first thing of a sandbox that runs: a shell that mounts what the app may write, waits to be told which resource group it
// joins and what to execute, and becomes it. Joining takes a few to twenty milliseconds (the kernel waits for all CPUs), so
// that happens ahead of time too where the group is known.
//
// It also closes descriptors that this process inherited from whoever started it: an app gets 0 to 2 and no other. A plain
// shell can only close those up to 9, so bash does it in the rare case that there are any.
//
//   descriptor 3 := setting* argument* '.' LF rest      rest is left for the program that the shell becomes
//   setting      := '>' file of a group, to which `0` is written LF | '=' letters of ulimit ' ' number LF | '<' path of what is opened as NAMESPACE_DESCRIPTOR LF
//                 | '@' new options of the writable space ' ' where it is mounted LF
//   argument     := '+' line LF ('-' line LF)* '!' LF      lines of one argument, joined by LF
import { NAMESPACE_DESCRIPTOR } from './bubblewrap-arguments.ts';
import { mountSpace, spaceOptions, type WritableSpace } from './writable-space.ts';

/**
 * Arguments of /bin/sh; descriptors above `lastDescriptor`, one digit, are closed. It exits with 125 when it cannot do its part.
 * `space` is mounted, which takes a mount namespace of the shell's own.
 */
export function launcherArguments(lastDescriptor: number, space?: WritableSpace): readonly string[] {
  return ['-c', begin(lastDescriptor, space), RECEIVE, ...(space === undefined ? [] : [space.place])];
}

/** When the machine runs out of memory the kernel takes from apps first, and never from the platform. Raising needs no right. */
const OOM_SCORE = 500;

/** Gets RECEIVE as $0. */
const begin = (lastDescriptor: number, space: WritableSpace | undefined): string => `
echo ${OOM_SCORE} 2>/dev/null > /proc/self/oom_score_adj
${space === undefined ? '' : `{ ${mountSpace(space.bytesMax)}; } || exit 125`}
set --
for file in /proc/$$/fd/*; do
  case \${file##*/} in
    [0-${lastDescriptor}]|'*') ;;
    *) set -- "$@" "\${file##*/}" ;;
  esac
done
[ $# -eq 0 ] && eval "$0"
[ -x /bin/bash ] && exec /bin/bash -c 'for fd; do eval "exec $fd>&-"; done; exec /bin/sh -c "$0"' "$0" "$@"
echo "open descriptors $* would reach the app: start the platform without them, or install bash" >&2
exit 125
`;

const RECEIVE = `
set --
break='
'
while IFS= read -r line <&3; do
  case $line in
    '>'*) echo 0 > "\${line#>}" || exit 125 ;;
    =*) ulimit -\${line#=} 2>/dev/null ;;
    '<'*) exec ${NAMESPACE_DESCRIPTOR}<"\${line#<}" || exit 125 ;;
    @*) line=\${line#@}; mount -o "remount,\${line%% *}" tmpfs "\${line#* }" || exit 125 ;;
    +*) argument=\${line#+} ;;
    -*) argument=$argument$break\${line#-} ;;
    !) set -- "$@" "$argument" ;;
    .) exec "$@" ;;
  esac
done
exit 125
`;

export interface LauncherSettings {
  /** Limits as `ulimit` takes them, such as `c 0`. One that this shell does not know, or may not set that high, is passed over. */
  readonly limits?: readonly string[];
  /** A file to be opened as NAMESPACE_DESCRIPTOR. */
  readonly namespace?: string;
  /** The space that `launcherArguments` was given, with another size. */
  readonly space?: WritableSpace;
}

/** What to write to descriptor 3 first, when it is known. */
export function launcherJoin(joinFiles: readonly string[]): string {
  return joinFiles.map((file) => `>${file}\n`).join('');
}

/** What to write to descriptor 3 then, before `rest`. Arguments hold no NUL. */
export function launcherInput(command: readonly string[], { limits = [], namespace, space }: LauncherSettings = {}): string {
  const settings = [
    ...limits.map((limit) => `=${limit}\n`),
    ...(namespace === undefined ? [] : [`<${namespace}\n`]),
    ...(space === undefined ? [] : [`@${spaceOptions(space.bytesMax)} ${space.place}\n`]),
  ];
  return `${settings.join('')}${command.map((argument) => `+${argument.split('\n').join('\n-')}\n!\n`).join('')}.\n`;
}
