import { describe, expect, it } from 'vitest';
import { clientVariables, type EmulatorFlags, exportLines, readEmulatorFlags } from './emulator-flags.ts';

const place = { environment: {}, workingDirectory: '/home/shop' };
const read = (flags: EmulatorFlags, words: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) =>
  readEmulatorFlags(flags, words, { ...place, environment });

describe('flags of the emulator', () => {
  it('have defaults that keep the data and let nobody delete it', () => {
    expect(read({})).toEqual({
      options: {
        ...{ host: '127.0.0.1', port: 8081, dataDirectory: '/home/shop/.appengine/emulator' },
        ...{ allowsReset: false, requiresIndexes: false },
      },
      projectId: 'emulator',
      isOpenToNetwork: false,
      isDefaultDirectory: true,
    });
  });

  it.each<[string, EmulatorFlags, object]>([
    ['--ephemeral', { ephemeral: true }, { allowsReset: true }],
    ['--allow-reset', { allowReset: true }, { allowsReset: true, dataDirectory: '/home/shop/.appengine/emulator' }],
    ['--data-dir', { dataDir: 'data' }, { dataDirectory: '/home/shop/data' }],
    ['--port 0', { port: '0' }, { port: 0 }],
    ['--index-file', { indexFile: 'index.yaml', requireIndexes: true }, { indexFile: '/home/shop/index.yaml', requiresIndexes: true }],
    ['--bind ::1', { bind: '::1' }, { host: '::1' }],
    ['--open-to-network', { bind: '0.0.0.0', openToNetwork: true }, { host: '0.0.0.0' }],
  ])('take %s', (_flag, flags, options) => {
    expect(read(flags).options).toMatchObject(options);
  });

  it('keep no data directory for --ephemeral', () => {
    expect(read({ ephemeral: true }).options).not.toHaveProperty('dataDirectory');
    expect(read({ ephemeral: true }).isDefaultDirectory).toBe(false);
    expect(read({ dataDir: 'x' }).isDefaultDirectory).toBe(false);
  });

  it('name the project by flag, then by the variables of clients', () => {
    const environment = { GOOGLE_CLOUD_PROJECT: 'from-google', DATASTORE_PROJECT_ID: 'from-datastore' };
    expect(read({ project: 'example.com:shop' }, [], environment).projectId).toBe('example.com:shop');
    expect(read({}, [], environment).projectId).toBe('from-google');
    expect(read({}, [], { GOOGLE_CLOUD_PROJECT: '', DATASTORE_PROJECT_ID: 'from-datastore' }).projectId).toBe('from-datastore');
  });

  it('take a command for a shell, or a program with its arguments', () => {
    expect(read({ exec: 'npm test && echo ok' }).command).toEqual({ kind: 'shell', text: 'npm test && echo ok' });
    expect(read({}, ['node', '--test', 'a b']).command).toEqual({ kind: 'program', words: ['node', '--test', 'a b'] });
    expect(read({})).not.toHaveProperty('command');
  });

  it.each<[string, EmulatorFlags, readonly string[], Readonly<Record<string, string>>, string]>([
    ['a port that is none', { port: '70000' }, [], {}, '--port is "70000", want a port'],
    ['a port with a sign', { port: '-1' }, [], {}, '--port is "-1"'],
    ['a name to bind', { bind: 'example.com' }, [], {}, '--bind is "example.com", want an address'],
    ['an address that others reach', { bind: '0.0.0.0' }, [], {}, 'add --open-to-network'],
    ['an IPv6 address that others reach', { bind: '::' }, [], {}, 'add --open-to-network'],
    ['a project for a shell to run', { project: '$(rm -rf)' }, [], {}, '--project is "$(rm -rf)", want a project id'],
    ['an empty project', { project: '' }, [], {}, '--project is ""'],
    ['a project that is too long', { project: 'p'.repeat(101) }, [], {}, 'want a project id'],
    ['a variable with a line end', {}, [], { GOOGLE_CLOUD_PROJECT: 'a\nb' }, 'GOOGLE_CLOUD_PROJECT is'],
    ['data that is kept and not kept', { ephemeral: true, dataDir: 'x' }, [], {}, 'leave out one of them'],
    ['two commands', { exec: 'a' }, ['b'], {}, 'leave out one of them'],
    ['an empty command', { exec: '  ' }, [], {}, '--exec is "  ", want a command'],
    ['an empty program', {}, [''], {}, 'want a program'],
  ])('refuse %s', (_what, flags, words, environment, text) => {
    expect(() => read(flags, words, environment)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(text) as string }),
    );
  });
});

describe('variables of clients', () => {
  it('name the address without a scheme where clients want none', () => {
    expect(exportLines(clientVariables('127.0.0.1', 8081, 'shop'))).toEqual([
      'export DATASTORE_DATASET=shop',
      'export DATASTORE_EMULATOR_HOST=127.0.0.1:8081',
      'export DATASTORE_EMULATOR_HOST_PATH=127.0.0.1:8081/datastore',
      'export DATASTORE_HOST=http://127.0.0.1:8081',
      'export DATASTORE_PROJECT_ID=shop',
      'export GOOGLE_CLOUD_PROJECT=shop',
    ]);
  });

  it.each([
    ['::1', '[::1]:1'],
    ['0.0.0.0', '127.0.0.1:1'],
    ['::', '[::1]:1'],
    ['localhost', 'localhost:1'],
  ])('lead to an emulator that listens on %s', (host, address) => {
    expect(clientVariables(host, 1, 'p')).toMatchObject({ DATASTORE_EMULATOR_HOST: address, DATASTORE_HOST: `http://${address}` });
  });
});
