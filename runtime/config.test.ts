import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readServeConfig } from './config.ts';

test('defaults are the documented ones', () => {
  expect(readServeConfig({}, {})).toEqual({
    dataDirectory: '.appengine',
    port: 8080,
    consolePort: 8000,
    datastorePort: 8081,
    bind: '127.0.0.1',
    datastoreAuth: false,
    domain: 'localhost',
    consoleHosts: [],
    trustedProxies: [],
    singleProcess: false,
    fetchAllow: [],
    ephemeral: false,
    allowsReset: false,
    mail: { domain: 'localhost', senders: [] },
    sandbox: 'auto',
    logLevel: 'warn',
    devLogin: false,
    logLimits: { bytesMax: 128 * 1024 ** 2, retentionMs: 30 * 86_400_000 },
    metricsOpen: false,
  });
});

test('a flag wins over a variable, a variable over the default', () => {
  const variables = { APPENGINE_DATA_DIR: '/v', APPENGINE_PORT: '1', APPENGINE_CONSOLE_PORT: '2', APPENGINE_DATASTORE_PORT: '3' };
  expect(readServeConfig({}, variables)).toMatchObject({ dataDirectory: '/v', port: 1, consolePort: 2, datastorePort: 3 });
  expect(readServeConfig({ dataDir: '/f', port: '0' }, variables)).toMatchObject({ dataDirectory: '/f', port: 0, consolePort: 2 });
});

test.each([
  [{ port: 'abc' }, {}, '--port is "abc"'],
  [{ port: '65536' }, {}, '--port is "65536"'],
  [{}, { APPENGINE_CONSOLE_PORT: '-1' }, 'APPENGINE_CONSOLE_PORT is "-1"'],
  [{ domain: 'Exa mple' }, {}, '--domain'],
  [{ role: 'router' }, {}, '--role is "router"'],
  [{ sandbox: 'docker' }, {}, '--sandbox is "docker", want one of auto, bubblewrap, process'],
  [{ fetchAllow: ['10.0.0.0/8', '10.1'] }, {}, '--fetch-allow is "10.1"'],
  [{ fetchAllow: ['0x0a.0.0.0/8'] }, {}, '--fetch-allow'],
  [{ memoryBudget: '8 GB' }, {}, '--memory-budget is "8 GB"'],
  [{ memoryBudget: '100M' }, {}, '--memory-budget is "100M"'],
  [{ consoleHost: ['console.example.com', 'https://console'] }, {}, '--console-host is "https://console"'],
  [{ consoleHost: ['console.example.com:8000'] }, {}, '--console-host'],
  [{ trustedProxy: ['127.0.0.1', 'proxy.example.com'] }, {}, '--trusted-proxy is "proxy.example.com"'],
  [{ logLevel: 'loud' }, {}, '--log-level'],
  [{ tlsCert: 'c.pem' }, {}, '--tls-key'],
  [{}, { APPENGINE_TLS_KEY: 'k.pem' }, '--tls-cert'],
  [{ httpPort: '80' }, {}, '--http-port is for HTTP beside HTTPS'],
  [{ tlsCert: 'c', tlsKey: 'k', httpPort: 'x' }, {}, '--http-port is "x"'],
  [{ logRetention: '30' }, {}, '--log-retention is "30"'],
  [{ logRetention: '0d' }, {}, '--log-retention'],
  [{ logSize: '10k' }, {}, '--log-size is "10k"'],
  [{ logSize: '0m' }, {}, '--log-size'],
  [{}, { APPENGINE_DATASTORE_AUTH: 'yes' }, 'APPENGINE_DATASTORE_AUTH is "yes"'],
])('%j with %j is refused by name', (flags, variables, words) => {
  expect(() => readServeConfig(flags, variables)).toThrow(
    expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(words) }),
  );
});

test('HTTPS goes by flags or variables, its files by their whole path', () => {
  const variables = { APPENGINE_TLS_CERT: '/v/cert.pem', APPENGINE_TLS_KEY: '/v/key.pem', APPENGINE_HTTP_PORT: '8081' };
  expect(readServeConfig({}, variables)).toMatchObject({ tls: { certFile: '/v/cert.pem', keyFile: '/v/key.pem' }, httpPort: 8081 });
  const flags = { tlsCert: 'cert.pem', tlsKey: '/f/key.pem' };
  expect(readServeConfig(flags, {})).toMatchObject({ tls: { certFile: join(process.cwd(), 'cert.pem'), keyFile: '/f/key.pem' } });
  expect(readServeConfig(flags, {}).httpPort).toBeUndefined();
});

test("apps' logs are kept as the flags say, half of the size for each kind", () => {
  expect(readServeConfig({ logRetention: '12h', logSize: '2g' }, {}).logLimits).toEqual({ retentionMs: 43_200_000, bytesMax: 1024 ** 3 });
  expect(readServeConfig({ logSize: '64M' }, {}).logLimits).toEqual({ retentionMs: 30 * 86_400_000, bytesMax: 32 * 1024 ** 2 });
});

test('signing in without a password goes with a loopback address alone', () => {
  for (const bind of ['127.0.0.1', '127.9.9.9', '::1', 'localhost'])
    expect(readServeConfig({ devLogin: true, bind }, {}).devLogin).toBe(true);
  for (const bind of ['0.0.0.0', '::', '192.0.2.1', 'example.com', '127.0.0.1.example.com']) {
    expect(() => readServeConfig({ devLogin: true, bind }, {})).toThrow(/--dev-login lets anybody in/);
  }
});

test('mail goes by the flags, and the server of the variable where no flag names one', () => {
  const flags = { domain: 'example.com', mailDomain: 'post.example.com', mailSender: ['News@Example.COM', 'a@b.c'] };
  expect(readServeConfig(flags, { APPENGINE_SMTP: 'smtps://u:p%40ss@mail.example.com:465' }).mail).toEqual({
    domain: 'post.example.com',
    senders: ['News@example.com', 'a@b.c'],
    smtpUrl: 'smtps://u:p%40ss@mail.example.com:465',
  });
  expect(readServeConfig({ domain: 'example.com', smtp: 'smtp://[::1]:25' }, { APPENGINE_SMTP: 'smtp://other' }).mail).toEqual({
    domain: 'example.com',
    senders: [],
    smtpUrl: 'smtp://[::1]:25',
  });
});

test.each(['mail.example.com:25', 'http://u:S3cret@mail', 'smtp://', 'smtp://u:S3cret@mail/?pool=true', 'smtp://u:S3cret@ma il'])(
  'the SMTP server %# is refused, and its password is not repeated',
  (smtp) => {
    const refusal = (flags: object, variables: Record<string, string>): string => {
      try {
        readServeConfig(flags, variables);
        return 'taken';
      } catch (error) {
        return (error as Error).message;
      }
    };
    for (const message of [refusal({ smtp }, {}), refusal({}, { APPENGINE_SMTP: smtp })]) {
      expect(message).toContain('smtp[s]://');
      expect(message).not.toContain('S3cret');
    }
  },
);

test.each([
  [{ mailDomain: 'Post' }, '--mail-domain is "Post"'],
  [{ mailSender: ['news'] }, '--mail-sender is "news"'],
])('%j is refused by name', (flags, words) => {
  expect(() => readServeConfig(flags, {})).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(words) }));
});

test('files of quotas and prices are named by flags alone', () => {
  expect(readServeConfig({ quotas: 'q.yaml', prices: '/p.yaml' }, {})).toMatchObject({ quotasFile: 'q.yaml', pricesFile: '/p.yaml' });
  expect(readServeConfig({}, {})).not.toHaveProperty('quotasFile');
});

test('a database holds the datastore when a flag or the variable names one', () => {
  const url = 'postgres://u:p%40ss@db.example.com:5432/appengine?sslmode=verify-full';
  expect(readServeConfig({}, { APPENGINE_STORE: url }).storeUrl).toBe(url);
  expect(readServeConfig({ store: url }, { APPENGINE_STORE: 'postgres://other/d' }).storeUrl).toBe(url);
  expect(readServeConfig({}, { APPENGINE_STORE: '' }).storeUrl).toBeUndefined();
});

test.each([
  'db.example.com/appengine',
  'mysql://u:S3cret@db/appengine',
  'postgres://u:S3cret@db',
  'postgres://u:S3cret@db/a/b',
  'postgres:///d',
])('the store %s is refused without being repeated', (store) => {
  for (const read of [() => readServeConfig({ store }, {}), () => readServeConfig({}, { APPENGINE_STORE: store })]) {
    expect(read).toThrow(/(?:--store|APPENGINE_STORE): want postgres:\/\//);
    expect(read).not.toThrow(/S3cret/);
  }
});

test('a store and --ephemeral contradict each other', () => {
  const store = 'postgres://u:S3cret@db/appengine';
  expect(() => readServeConfig({ store, ephemeral: true }, {})).toThrow(/--ephemeral keeps nothing, and --store/);
  expect(() => readServeConfig({ ephemeral: true }, { APPENGINE_STORE: store })).toThrow(/APPENGINE_STORE names a database/);
});

test('a reset is allowed by --allow-reset and --ephemeral, where everybody who reaches the port may do everything anyway', () => {
  const allows = (flags: object, variables = {}): boolean => readServeConfig(flags, variables).allowsReset;
  expect([allows({}), allows({ allowReset: true }), allows({ ephemeral: true })]).toEqual([false, true, true]);
  expect([allows({ ephemeral: true, datastoreAuth: true }), allows({ ephemeral: true, bind: '0.0.0.0' })]).toEqual([false, false]);
  for (const flags of [{ datastoreAuth: true }, { bind: '0.0.0.0' }]) {
    expect(() => readServeConfig({ ...flags, allowReset: true }, {})).toThrow(expect.objectContaining({ code: 'USAGE' }));
  }
});

test('the datastore wants tokens when asked to, and always where other machines reach it', () => {
  const wants = (flags: object, variables = {}): boolean => readServeConfig(flags, variables).datastoreAuth;
  expect(wants({ datastoreAuth: true })).toBe(true);
  for (const text of ['1', 'true']) expect(wants({}, { APPENGINE_DATASTORE_AUTH: text })).toBe(true);
  for (const text of ['0', 'false', '']) expect(wants({}, { APPENGINE_DATASTORE_AUTH: text })).toBe(false);
  for (const bind of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) expect(wants({ bind })).toBe(false);
  for (const bind of ['0.0.0.0', '::', '192.0.2.1', 'example.com', '127.0.0.1.example.com']) {
    expect([wants({ bind }), wants({ bind }, { APPENGINE_DATASTORE_AUTH: '0' })]).toEqual([true, true]);
  }
});
