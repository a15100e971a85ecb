// `npm run simulate [-- TRACE …]`: installs what is missing and compares schedulers in virtual time.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { checkNode, installPackages, root } from './steps.mjs';

checkNode();
installPackages();
const result = spawnSync(process.execPath, ['--import', 'tsx', join(root, 'tests', 'simulation', 'main.ts'), ...process.argv.slice(2)], {
  // Files are named from where the command was given.
  cwd: process.env.INIT_CWD ?? root,
  stdio: 'inherit',
});
process.exit(result.status ?? 1);
