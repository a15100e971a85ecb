// `appengine status`: what the server is, and how each of its roles does.
import { type StatusView } from '../contract/admin/admin.ts';
import { type RoleView } from '../contract/admin/health.ts';
import { PlatformError } from '../contract/errors.ts';
import { type CommandContext } from './command-context.ts';
import { formatBytes, formatTable } from './table.ts';

const SECOND_MS = 1_000;
const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

/** Without the owner token it says what anybody may know. */
export async function showStatus({ client, terminal, json, server, clock }: CommandContext): Promise<void> {
  const status = await client.call<StatusView>('GET', '/status');
  const roles = await client.call<{ roles: readonly RoleView[] }>('GET', '/roles').then(({ roles: all }) => all, withoutToken);
  if (json) {
    terminal.printJson({ ...status, ...(roles ? { roles } : {}) });
    return;
  }
  const { yellow, red, green, dim } = terminal.outColours;
  terminal.print(`App Engine ${status.release} at ${server}`);
  terminal.print(`  apps at    ${status.appUrlTemplate}`);
  terminal.print(`  sandbox    ${status.sandbox}`);
  for (const warning of status.warnings) terminal.print(`  ${yellow('warning')}    ${warning}`);
  if (!roles) {
    terminal.say(dim('The owner token shows the roles too: give --token, or --data-dir of the server.'));
    return;
  }
  terminal.print('');
  terminal.print(
    formatTable(
      ['role', 'state', 'up for', 'memory', 'cpu', 'restarts', 'process'],
      roles.map((role) => roleRow(role, clock.nowMs())),
    ),
  );
  const wrong = roles.flatMap(({ role, status: state, reasons }) =>
    state === 'ready' ? [] : reasons.map((reason) => `${role}: ${reason}`),
  );
  const restarted = roles.filter(({ restarts = 0 }) => restarts > 0);
  terminal.print('');
  terminal.print(wrong.length === 0 ? green('All roles are ready.') : red('Something is wrong:'));
  for (const line of wrong) terminal.print(`  ${line}`);
  for (const { role, restarts = 0, lastExit = 'unknown' } of restarted) {
    terminal.print(`  ${role} was started again ${restarts === 1 ? 'once' : `${restarts} times`}; it ended last as: ${lastExit}`);
  }
}

function withoutToken(error: unknown): undefined {
  // A server of an earlier release has no roles to show.
  if (error instanceof PlatformError && (error.code === 'UNAUTHENTICATED' || error.code === 'NOT_FOUND')) return undefined;
  throw error;
}

function roleRow({ role, status, startedAtMs, memoryBytes, cpuMicros, restarts, pid }: RoleView, nowMs: number): string[] {
  return [
    role,
    status,
    startedAtMs === undefined ? '' : spanText((nowMs - startedAtMs) / SECOND_MS),
    memoryBytes === undefined ? '' : formatBytes(memoryBytes),
    cpuMicros === undefined ? '' : `${(cpuMicros / 1_000_000).toFixed(1)} s`,
    restarts === undefined ? '' : String(restarts),
    pid === undefined ? '' : String(pid),
  ];
}

/** Two units: `3 d 4 h`. */
export function spanText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE_S) return `${whole} s`;
  if (whole < HOUR_S) return `${Math.floor(whole / MINUTE_S)} min ${whole % MINUTE_S} s`;
  if (whole < DAY_S) return `${Math.floor(whole / HOUR_S)} h ${Math.floor((whole % HOUR_S) / MINUTE_S)} min`;
  return `${Math.floor(whole / DAY_S)} d ${Math.floor((whole % DAY_S) / HOUR_S)} h`;
}
