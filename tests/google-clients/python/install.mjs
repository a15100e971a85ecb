// Makes a Python of its own with Google's Datastore clients in node_modules/.cache, once for each version of Python and of
// requirements.txt, and prints its path:
//   node tests/google-clients/python/install.mjs
// Must leave nothing behind that passes for a complete one when it is interrupted.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const cache = join(here, '..', '..', '..', 'node_modules', '.cache', 'google-clients');
const requirements = join(here, 'requirements.txt');

function run(program, ...args) {
  const result = spawnSync(program, args, { encoding: 'utf8' });
  if (result.error === undefined && result.status === 0) return result.stdout.trim();
  const words = result.error === undefined ? `${result.stderr}${result.stdout}` : result.error.message;
  const last = words.trim().split('\n').slice(-3).join('\n  ');
  process.stderr.write(`Google's Datastore clients for Python could not be installed: ${program} ${args.join(' ')}\n  ${last}\n`);
  process.exit(1);
}

const version = run('python3', '-c', 'import sys; print(sys.executable, sys.version)');
const name = createHash('sha256').update(version).update(readFileSync(requirements)).digest('hex').slice(0, 16);
const home = join(cache, name);
if (!existsSync(home)) {
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'making-'));
  process.on('exit', () => rmSync(making, { recursive: true, force: true }));
  run('python3', '-m', 'venv', making);
  const quietly = ['--quiet', '--disable-pip-version-check', '--retries', '1'];
  run(join(making, 'bin', 'python3'), '-m', 'pip', 'install', ...quietly, '--require-hashes', '--only-binary', ':all:', '-r', requirements);
  try {
    renameSync(making, home);
  } catch (error) {
    // Another run made it meanwhile.
    if (!existsSync(home)) throw error;
  }
}
process.stdout.write(`${join(home, 'bin', 'python3')}\n`);
