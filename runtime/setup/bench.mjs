// `npm run bench [-- NAME …] [--json FILE] [--hog KIND]`: sets up, builds, and runs the named benches, or all of them.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { benchPrograms, installSystemPrograms, prepare, root, withoutServices } from './steps.mjs';

prepare();
withoutServices(() => installSystemPrograms(benchPrograms));
const result = spawnSync(process.execPath, ['--import', 'tsx', join('tests', 'bench', 'main.ts'), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(result.status ?? 1);
