// `npm test`: sets up what is missing, builds, runs every suite, and ends with one line that counts them.
// Arguments go to vitest: npm test -- --project unit
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installSystemPrograms, prepare, root, testPrograms } from './steps.mjs';

// Before the build, which compiles a part of the platform where there is a compiler.
installSystemPrograms(testPrograms);
prepare();

const report = join(root, 'build', 'test-report.json');
mkdirSync(join(root, 'build'), { recursive: true });
rmSync(report, { force: true });
const vitest = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);

let results;
try {
  results = JSON.parse(readFileSync(report, 'utf8'));
} catch {
  process.stdout.write('No suite ran.\n');
  process.exit(vitest.status || 1);
}
const skipped = results.testResults.flatMap((file) =>
  file.assertionResults.filter((test) => test.status === 'pending' || test.status === 'skipped'),
);
if (skipped.length > 0) {
  process.stdout.write('\nSkipped, by name:\n');
  for (const test of skipped) process.stdout.write(`  SKIPPED ${test.fullName}\n`);
}
process.stdout.write(`\n${results.numPassedTests} passed, ${results.numFailedTests} failed, ${skipped.length} skipped\n`);
process.exit(vitest.status ?? 1);
