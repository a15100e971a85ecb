// Whether bubblewrap works here; where it does not, suites skip by name and say how to install it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BubblewrapSandbox } from '../../runtime/sandbox/bubblewrap-sandbox.ts';

/** Undefined when it works; else why not, with the command that installs it. Said on the console once per suite. */
export async function bubblewrapSkip(): Promise<string | undefined> {
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'ae-skip-'));
  try {
    await new BubblewrapSandbox({ scratchDirectory }).start();
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    console.warn(`SKIPPED: suites that need the bubblewrap sandbox. ${why}`);
    return why;
  } finally {
    await rm(scratchDirectory, { recursive: true, force: true });
  }
}
