// The command with an emulator and a command that tests end as they like; the real ones are in tests/integration.
import { beforeEach, describe, expect, it } from 'vitest';
import { type CommandEnd, type EmulatorOptions, type UserCommand } from '../contract/emulator.ts';
import { PlatformError } from '../contract/errors.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { type EmulatorWorld, runEmulatorCommand } from './emulator.ts';
import { Terminal } from './terminal.ts';

let stdout: string;
let stderr: string;
let events: string[];
let options: EmulatorOptions | undefined;
let command: { readonly command: UserCommand; readonly variables: Readonly<Record<string, string>> } | undefined;
let endEmulator: (failure?: PlatformError) => void;
let endCommand: (end: CommandEnd) => void;
let signal: (name: NodeJS.Signals) => void;
let time: VirtualTime;
let startFailure: PlatformError | undefined;

beforeEach(() => {
  [stdout, stderr, events, options, command, startFailure] = ['', '', [], undefined, undefined, undefined];
  signal = () => undefined;
  time = new VirtualTime(0);
});

function run(words: string, environment: Readonly<Record<string, string>> = {}): Promise<number> {
  const terminal = new Terminal({
    stdout: { write: (text) => (stdout += text), isTerminal: false, columns: 80 },
    stderr: { write: (text) => (stderr += text), isTerminal: false, columns: 80 },
    environment: {},
  });
  const world: EmulatorWorld = {
    ...{ terminal, environment, workingDirectory: '/home/shop', timers: time },
    start: (asked) => {
      options = asked;
      events.push('start');
      if (startFailure) return Promise.reject(startFailure);
      return Promise.resolve({
        port: 4321,
        ended: new Promise((resolve) => (endEmulator = resolve)),
        close: () => {
          events.push('close');
          return Promise.resolve();
        },
      });
    },
    startCommand: (asked, variables) => {
      command = { command: asked, variables };
      events.push('command');
      return { ended: new Promise((resolve) => (endCommand = resolve)), signal: (name) => events.push(name) };
    },
    keepOutOfGit: (directory) => {
      events.push(`keep ${directory}`);
      return Promise.resolve();
    },
    onSignal: (listener) => {
      signal = listener;
      return () => (signal = () => undefined);
    },
  };
  return runEmulatorCommand(words === '' ? [] : words.split(' '), world);
}

async function until(event: string): Promise<void> {
  for (let turn = 0; turn < 100 && !events.includes(event); turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(events).toContain(event);
  await new Promise((resolve) => setImmediate(resolve));
}

describe('appengine emulator datastore', () => {
  it('prints lines for a shell on stdout and words for people on stderr, and ends with a signal', async () => {
    const running = run('datastore --project shop');
    await until('start');
    expect(stdout.split('\n')).toEqual([
      'export DATASTORE_DATASET=shop',
      'export DATASTORE_EMULATOR_HOST=127.0.0.1:4321',
      'export DATASTORE_EMULATOR_HOST_PATH=127.0.0.1:4321/datastore',
      'export DATASTORE_HOST=http://127.0.0.1:4321',
      'export DATASTORE_PROJECT_ID=shop',
      'export GOOGLE_CLOUD_PROJECT=shop',
      '# ready datastore=127.0.0.1:4321 project=shop',
      '',
    ]);
    expect(stderr).toContain('at 127.0.0.1:4321, project shop');
    expect(stderr).toContain('Data     /home/shop/.appengine/emulator');
    expect(stderr).not.toContain('\u001b');
    expect(stderr).not.toContain('/reset');
    signal('SIGINT');
    expect(await running).toBe(0);
    expect(events).toEqual(['keep /home/shop/.appengine/emulator', 'start', 'close']);
  });

  it('says what it keeps, and how to reset it where that is allowed', async () => {
    const running = run('datastore --ephemeral --require-indexes --index-file index.yaml');
    await until('start');
    expect(stderr).toMatch(/Data +in memory, and gone/);
    expect(stderr).toMatch(/Indexes +those of \/home\/shop\/index.yaml alone/);
    expect(stderr).toContain('curl -X POST http://127.0.0.1:4321/reset');
    expect(events).toEqual(['start']);
    expect(options).toEqual({
      ...{ host: '127.0.0.1', port: 8081, allowsReset: true, requiresIndexes: true, indexFile: '/home/shop/index.yaml' },
    });
    endEmulator();
    expect(await running).toBe(0);
  });

  it('prints one line of JSON when asked to', async () => {
    const running = run('datastore --json --project shop');
    await until('start');
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ ready: true, address: '127.0.0.1:4321', project: 'shop', dataDirectory: '/home/shop/.appengine/emulator' },
      variables: { DATASTORE_EMULATOR_HOST: '127.0.0.1:4321' },
    });
    expect(stdout.trimEnd()).not.toContain('\n');
    signal('SIGTERM');
    await running;
  });

  it('warns of an address that others reach', async () => {
    const running = run('datastore --bind 0.0.0.0 --open-to-network');
    await until('start');
    expect(stderr).toContain('*** Anybody who reaches this address');
    signal('SIGINT');
    await running;
  });

  it.each(['', 'firestore', 'datastore --nothing', 'datastore npm test', 'datastore --'])('refuses `%s`', async (words) => {
    expect(await run(words)).not.toBe(0);
    expect(stderr).not.toBe('');
    expect(events).toEqual([]);
  });

  it('shows its help, with examples', async () => {
    expect(await run('datastore --help')).toBe(0);
    for (const text of [
      '--exec <command>',
      '--require-indexes',
      '/bin/sh',
      'Examples:',
      '$ appengine emulator datastore --ephemeral --exec "npm test"',
    ])
      expect(stdout).toContain(text);
  });

  it('tells why it cannot start', async () => {
    startFailure = new PlatformError('PORT_BUSY', '127.0.0.1:8081', { details: { flag: '--port' } });
    expect(await run('datastore --ephemeral --exec true')).toBe(1);
    expect(stderr).toMatch(/Error: The port is in use.*8081[\s\S]*To mend it: .*--port/);
    expect(command).toBeUndefined();
    startFailure = new PlatformError('PORT_BUSY', '127.0.0.1:8081');
    stderr = '';
    expect(await run('datastore --ephemeral --json')).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'PORT_BUSY' } });
  });

  it('fails when the datastore does', async () => {
    const running = run('datastore');
    await until('start');
    endEmulator(new PlatformError('DS_CLOSED', 'an earlier write failed'));
    expect(await running).toBe(1);
    expect(stderr).toContain('an earlier write failed');
    expect(events.at(-1)).toBe('close');
  });
});

describe('a command against it', () => {
  it('begins when it is ready, has the variables, and its code is the end', async () => {
    const running = run('datastore --ephemeral --project shop -- node --test --help');
    await until('command');
    expect(events).toEqual(['start', 'command']);
    expect(command).toEqual({
      command: { kind: 'program', words: ['node', '--test', '--help'] },
      variables: expect.objectContaining({ DATASTORE_EMULATOR_HOST: '127.0.0.1:4321', GOOGLE_CLOUD_PROJECT: 'shop' }) as object,
    });
    expect(stdout).toBe('');
    endCommand({ code: 7 });
    expect(await running).toBe(7);
    expect(events).toEqual(['start', 'command', 'close']);
    expect(stdout).toBe('');
  });

  it('is told of signals, and waited for', async () => {
    const running = run('datastore --ephemeral --exec test');
    await until('command');
    signal('SIGINT');
    signal('SIGTERM');
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual(['start', 'command', 'SIGINT', 'SIGTERM']);
    endCommand({ code: 143 });
    expect(await running).toBe(143);
  });

  it('tells why it could not be started', async () => {
    const running = run('datastore --ephemeral -- nowhere');
    await until('command');
    endCommand({ code: 127, failure: '"nowhere": there is no such program' });
    expect(await running).toBe(127);
    expect(stderr).toMatch(/Error: The command could not be started.*there is no such program/);
  });

  it('is ended when the datastore fails, and killed when it does not end', async () => {
    const running = run('datastore --exec test');
    await until('command');
    endEmulator(new PlatformError('DS_CLOSED', 'an earlier write failed'));
    await until('SIGTERM');
    expect(stderr).toContain('an earlier write failed');
    expect(stderr).toContain('has failed: ending the command');
    time.advance(4_999);
    expect(events).not.toContain('SIGKILL');
    time.advance(1);
    expect(events).toContain('SIGKILL');
    endCommand({ code: 137 });
    expect(await running).toBe(1);
    expect(events.at(-1)).toBe('close');
  });

  it('is ended by POST /shutdown, and its code stays the end', async () => {
    const running = run('datastore --ephemeral --exec test');
    await until('command');
    endEmulator();
    await until('SIGTERM');
    expect(stderr).toContain('was shut down: ending the command');
    endCommand({ code: 0 });
    expect(await running).toBe(0);
  });
});
