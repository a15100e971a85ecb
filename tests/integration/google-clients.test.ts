// Google's published Datastore clients, unchanged, against the emulator: their suites in tests/google-clients, each through the
// command with which anybody runs a suite of theirs.
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, root, run } from './platform-process.ts';

const suites = join('tests', 'google-clients');

/** `npx appengine emulator datastore --ephemeral --exec COMMAND`. */
function emulated(command: string, env: NodeJS.ProcessEnv = {}, ...options: readonly string[]): Promise<CommandResult> {
  return run('npx', ['appengine', 'emulator', 'datastore', '--ephemeral', '--port', '0', ...options, '--exec', command], {
    env: { ...process.env, FORCE_COLOR: undefined, METADATA_SERVER_DETECTION: 'none', ...env },
    msMax: 120_000,
  });
}

/** Of a suite's output what tells which of its tests failed and why; else all that it said last. */
function failures({ stdout, stderr, code }: CommandResult): string {
  const output = `${stdout}\n${stderr}`;
  const found = /^✖ failing tests:[^]*|^={70}[^]*/m.exec(output)?.[0] ?? output.split('\n').slice(-80).join('\n');
  return `exit code ${code}\n${found.slice(0, 30_000)}`;
}

function count(output: string, pattern: RegExp): number {
  return Number(pattern.exec(output)?.[1] ?? 0);
}

/** Runs a suite of node --test; fails with its failures, and when it ran fewer tests than it has. */
async function nodeSuite(file: string, testsMin: number, env: NodeJS.ProcessEnv, ...options: readonly string[]): Promise<void> {
  const command = `node --test --test-reporter=spec ${join(suites, 'node', file)}`;
  const result = await emulated(command, env, ...options);
  expect(result.code, failures(result)).toBe(0);
  expect(count(result.stdout, /^ℹ pass (\d+)$/m), failures(result)).toBeGreaterThanOrEqual(testsMin);
}

/** Their Python, or why there is none. The first time takes 20 s: beside the suites of Node. */
async function installPython(): Promise<{ readonly python: string } | { readonly why: string }> {
  const { code, stdout, stderr } = await run(process.execPath, [join(root, suites, 'python', 'install.mjs')], { msMax: 150_000 });
  if (code === 0) return { python: stdout.trim() };
  const why = `${stderr.trim() || 'The installation took too long.'}\n  To install them: node ${join(suites, 'python', 'install.mjs')}`;
  console.warn(`SKIPPED: the suites of Google's Datastore clients for Python. ${why}`);
  return { why };
}

// They wait for locks more than they compute.
describe.concurrent("Google's Datastore client", () => {
  let installing: ReturnType<typeof installPython>;

  beforeAll(() => {
    installing = installPython();
  });

  test.for([
    ['10 over gRPC', {}],
    ['9 over gRPC', { DATASTORE_CLIENT: 'google-datastore-9' }],
    ['10 over REST', { DATASTORE_TRANSPORT: 'rest' }],
  ] as const)('@google-cloud/datastore %s does all that its documentation teaches', ([, env]) => nodeSuite('datastore.test.mjs', 230, env));

  test('@google-cloud/datastore is told which index a query lacks where they are required', () =>
    nodeSuite('required-indexes.test.mjs', 5, {}, '--require-indexes'));

  test.for([
    ['google-cloud-datastore over gRPC', 'test_datastore.py', 26, {}],
    ['google-cloud-datastore over HTTP', 'test_datastore.py', 26, { GOOGLE_CLOUD_DISABLE_GRPC: 'true' }],
    ['google-cloud-ndb', 'test_ndb.py', 19, {}],
  ] as const)('%s does all that its documentation teaches', async ([, file, testsMin, env], { skip }) => {
    const installed = await installing;
    if ('why' in installed) return skip(installed.why);
    const result = await emulated(`${installed.python} ${join(suites, 'python', file)}`, { ...env, PYTHONDONTWRITEBYTECODE: '1' });
    expect(result.code, failures(result)).toBe(0);
    expect(count(result.stderr, /^Ran (\d+) tests/m), failures(result)).toBeGreaterThanOrEqual(testsMin);
  });
});
