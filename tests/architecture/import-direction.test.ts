// The rules stand in .dependency-cruiser.cjs. These tests show that the tool reads them and that they bite.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './source-files.ts';

const depcruise = (...targets: string[]): { status: number | null; output: string } => {
  const result = spawnSync(
    process.execPath,
    ['node_modules/dependency-cruiser/bin/dependency-cruise.mjs', '--config', '.dependency-cruiser.cjs', ...targets],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  return { status: result.status, output: result.stdout + result.stderr };
};

test('imports point only where they may', () => {
  const { status, output } = depcruise('sdk', 'gql', 'datastore', 'router', 'runtime', 'admin-console');
  expect(output).toContain('no dependency violations found');
  expect(status).toBe(0);
});

test.each([
  ['gql', "import { RouterServer } from '../router/server.ts';\nexport const it = RouterServer;", 'gql-imports-only-the-contract'],
  ['router', "import { ClassicLevel } from 'classic-level';\nexport const it = ClassicLevel;", 'only-storage-imports-level'],
  ['datastore/storage', "import { Datastore } from '../datastore.ts';\nexport const it = Datastore;", 'storage-is-below'],
  ['sdk/contract', "import { datastore } from '../index.ts';\nexport const it = datastore;", 'contract-below-client'],
  ['admin-console', "import { spawn } from 'node:child_process';\nexport const it = spawn;", 'only-host-and-sandbox-spawn'],
])('an import against the rules in %s is found', (folder, text, rule) => {
  // A folder of its own, so that other suites never see the offending file.
  const directory = mkdtempSync(join(root, folder, 'rule-check-'));
  const file = join(directory, 'offender.ts');
  try {
    writeFileSync(file, text.replaceAll("'../", "'../../"));
    const { status, output } = depcruise(relative(root, file));
    expect(output).toContain(rule);
    expect(status).not.toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('git knows no build output', () => {
  const listed = execFileSync('git', ['ls-files', 'dist', 'node_modules', 'gql/grammar.generated.ts'], { cwd: root, encoding: 'utf8' });
  expect(listed).toBe('');
});
