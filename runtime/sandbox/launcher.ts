// The first thing of a sandbox that runs: a shell that joins the resource group, waits to be told what to execute, and
// becomes it. Joining takes a few to twenty milliseconds (the kernel waits for all CPUs), so it happens ahead of time.
//
// It also closes descriptors that this process inherited from whoever started it: an app gets 0 to 2 and no other. A plain
// shell can only close those up to 9, so bash does it in the rare case that there are any.
//
//   descriptor 3 := setting* argument* '.' LF rest      rest is left for the program that the shell becomes
//   setting      := '=' letters of ulimit ' ' number LF | '<' path of what is opened as NAMESPACE_DESCRIPTOR LF
//   argument     := '+' line LF ('-' line LF)* '!' LF      lines of one argument, joined by LF
import { NAMESPACE_DESCRIPTOR } from './bubblewrap-arguments.ts';

/**
 * Arguments of /bin/sh; `0` is written to each of `joinFiles`, and descriptors above `lastDescriptor`, one digit, are closed. It
 * exits with 125 when it cannot do its part.
 */
export function launcherArguments(joinFiles: readonly string[], lastDescriptor: number): readonly string[] {
  return ['-c', join(lastDescriptor), RECEIVE, ...joinFiles];
}

/** When the machine runs out of memory the kernel takes from apps first, and never from the platform. Raising needs no right. */
const OOM_SCORE = 500;

/** Gets RECEIVE as $0. */
const join = (lastDescriptor: number): string => `
echo ${OOM_SCORE} 2>/dev/null > /proc/self/oom_score_adj
for file; do echo 0 > "$file" || exit 125; done
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
    =*) ulimit -\${line#=} 2>/dev/null ;;
    '<'*) exec ${NAMESPACE_DESCRIPTOR}<"\${line#<}" || exit 125 ;;
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
}

/** What to write to descriptor 3 before `rest`. Arguments hold no NUL. */
export function launcherInput(command: readonly string[], { limits = [], namespace }: LauncherSettings = {}): string {
  const settings = [...limits.map((limit) => `=${limit}\n`), ...(namespace === undefined ? [] : [`<${namespace}\n`])];
  return `${settings.join('')}${command.map((argument) => `+${argument.split('\n').join('\n-')}\n!\n`).join('')}.\n`;
}
