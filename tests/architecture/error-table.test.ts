// docs/errors.md is this table rendered; `npx vitest run --project architecture -u` writes it anew after a change.
import { expect, test } from 'vitest';
import { ERRORS, type ErrorRow } from '../../sdk/contract/errors.ts';

test('docs/errors.md lists every error code as the table has it', async () => {
  const rows = Object.entries(ERRORS as Record<string, ErrorRow>).map(
    ([code, row]) => `| \`${code}\` | ${row.httpStatus} | ${row.grpc} | ${row.retryable ? 'yes' : 'no'} | ${row.message} | ${row.mend} |`,
  );
  const text = [
    '# Errors',
    '',
    'Every expected failure has a stable code. The command line prints what happened, why, and how to mend it; the admin API',
    'answers `{ "error": { "code", "message", "mend", "details" } }`; calls from an app throw a `PlatformError` with `code`.',
    '"Retry" says whether the same call may succeed when it is simply made again.',
    '',
    '| code | HTTP | gRPC | retry | what | how to mend |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
  await expect(text).toMatchFileSnapshot('../../docs/errors.md');
});

test('every message says something of its own and every code is in the usual form', () => {
  const rows = Object.entries(ERRORS as Record<string, ErrorRow>);
  expect(new Set(rows.map(([, row]) => row.message)).size).toBe(rows.length);
  for (const [code, row] of rows) {
    expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
    expect(row.httpStatus, code).toBeGreaterThanOrEqual(400);
    expect(row.mend, code).not.toMatch(/\.$/);
  }
});
