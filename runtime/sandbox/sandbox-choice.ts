// Picks and starts the sandbox, and warns at every start when it does not separate apps.
import { type Log } from '../../sdk/support/log.ts';
import { toPlatformError } from '../../sdk/contract/errors.ts';
import { BubblewrapSandbox } from './bubblewrap-sandbox.ts';
import { type Sandbox } from './port.ts';
import { ProcessSandbox } from './process-sandbox.ts';

/** `auto`: bubblewrap, and where that does not work plain processes, with a warning. */
export type SandboxChoice = 'auto' | Sandbox['kind'];

/** Started. Throws INSTANCE_SPAWN_FAILED when `bubblewrap` is asked for and does not work here. */
export async function startSandbox(choice: SandboxChoice, log: Log, options: { readonly scratchDirectory: string }): Promise<Sandbox> {
  const why = choice === 'process' ? 'it was asked for with --sandbox=process' : await startBubblewrap(choice, options);
  if (typeof why !== 'string') return why;
  const sandbox = new ProcessSandbox();
  await sandbox.start();
  for (const warning of sandbox.warnings) log.warn(`NO SANDBOX: ${warning}. Run only your own code`, { why });
  return sandbox;
}

/** The sandbox, or why there is none. */
async function startBubblewrap(choice: 'auto' | 'bubblewrap', options: { readonly scratchDirectory: string }): Promise<Sandbox | string> {
  const sandbox = new BubblewrapSandbox(options);
  try {
    await sandbox.start();
    return sandbox;
  } catch (error) {
    if (choice === 'bubblewrap') throw error;
    return toPlatformError(error).message;
  }
}
