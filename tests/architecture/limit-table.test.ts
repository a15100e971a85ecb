// docs/limits.md is this table rendered; `npx vitest run --project architecture -u` writes it anew after a change.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LIMIT_ROWS, type LimitRow } from '../../sdk/contract/limits.ts';
import { root, sourceFiles } from './source-files.ts';

const rows = Object.entries(LIMIT_ROWS as Record<string, LimitRow>);

test('docs/limits.md lists every limit as the table has it', async () => {
  const lines = rows.map(([name, row]) => `| \`${name}\` | ${row.value.toLocaleString('en-US')} | ${row.reason} |`);
  const text = [
    '# Limits',
    '',
    'One table, the unit last in each name. Beyond a limit comes an error with a code ([errors.md](errors.md)), never a hang or a crash.',
    '',
    '| limit | value | reason |',
    '| --- | --- | --- |',
    ...lines,
    '',
  ].join('\n');
  await expect(text).toMatchFileSnapshot('../../docs/limits.md');
});

test('every limit is enforced somewhere', () => {
  const text = sourceFiles()
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const unused = rows.map(([name]) => name).filter((name) => !text.includes(`LIMITS.${name}`));
  expect(unused).toEqual([]);
});

test('the documents are there that style asks for', () => {
  expect(readdirSync(root)).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'LICENSE']));
  expect(readdirSync(join(root, 'docs'))).toEqual(
    expect.arrayContaining(['errors.md', 'limits.md', 'gql.md', 'app-yaml.md', 'benchmarks.md', 'operating.md', 'security.md']),
  );
});
