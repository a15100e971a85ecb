import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Such as 0.8.0; undefined where it is not installed. */
export async function bubblewrapVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('bwrap', ['--version']);
    return stdout.trim().replace(/^bubblewrap /, '');
  } catch {
    return undefined;
  }
}
