import { X509Certificate } from 'node:crypto';
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SecureContextOptions } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CertificateFiles, expiryWarning, readPair } from '../../router/certificate-files.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemClock } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type TestCertificate, testCertificate } from './test-certificate.ts';

let first: TestCertificate;
let second: TestCertificate;
let folder: string;
let time: VirtualTime;
let log: MemoryLog;
let files: CertificateFiles;
let taken: SecureContextOptions[];

const path = (name: string): string => join(folder, name);
const write = async (cert: string, key: string): Promise<void> => {
  await writeFile(path('cert.pem'), cert);
  await writeFile(path('key.pem'), key);
};
const refusal = async (): Promise<unknown> => files.load().catch((error: unknown) => error);
const check = async (isDone: () => boolean): Promise<void> => {
  const next = (): boolean => {
    time.advance(5_000);
    return isDone();
  };
  await expect.poll(next, { timeout: 10_000 }).toBe(true);
};

beforeAll(() => {
  first = testCertificate();
  second = testCertificate();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certificate-files-'));
  time = new VirtualTime();
  log = new MemoryLog();
  taken = [];
  files = new CertificateFiles({ certFile: path('cert.pem'), keyFile: path('key.pem') }, systemClock, time, log);
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('a certificate and its key', () => {
  it('are read', async () => {
    await write(first.cert, first.key);
    expect(await files.load()).toEqual({ cert: Buffer.from(first.cert), key: Buffer.from(first.key) });
    expect(log.lines).toEqual([]);
  });

  it.each([
    ['no certificate', () => rm(path('cert.pem')), 'cert.pem: ENOENT', '--tls-cert'],
    ['no key', () => rm(path('key.pem')), 'key.pem: ENOENT', '--tls-key'],
    ['what is no certificate', () => writeFile(path('cert.pem'), 'hello'), 'cert.pem: it is no PEM certificate', '--tls-cert'],
    ['what is no key', () => writeFile(path('key.pem'), 'hello'), 'key.pem: it is no PEM key', '--tls-key'],
    ['another’s key', () => writeFile(path('key.pem'), second.key), 'key.pem: it does not belong to the certificate', '--tls-key'],
    ['a file without end', () => writeFile(path('cert.pem'), Buffer.alloc(LIMITS.tlsFileBytesMax + 1)), 'at most', '--tls-cert'],
  ])('are refused with %s, by name', async (_name, spoil, words, flag) => {
    await write(first.cert, first.key);
    await spoil();
    expect(await refusal()).toMatchObject({ code: 'TLS_CERTIFICATE_INVALID', message: expect.stringContaining(words), details: { flag } });
  });

  it('are taken again when they change, once both are there', async () => {
    await write(first.cert, first.key);
    await files.load();
    const stop = files.watch((context) => taken.push(context));
    await writeFile(path('cert.pem'), second.cert);
    await check(() => log.lines.some(({ level }) => level === 'error'));
    expect(taken).toEqual([]);
    await writeFile(path('key.pem'), second.key);
    await check(() => taken.length > 0);
    expect(taken).toEqual([{ cert: Buffer.from(second.cert), key: Buffer.from(second.key) }]);
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    stop();
  });

  it('are taken again when a link leads elsewhere, as certbot’s do', async () => {
    for (const [name, pair] of [
      ['1', first],
      ['2', second],
    ] as const) {
      await writeFile(path(`cert${name}`), pair.cert);
      await writeFile(path(`key${name}`), pair.key);
    }
    await symlink(path('cert1'), path('cert.pem'));
    await symlink(path('key1'), path('key.pem'));
    await files.load();
    const stop = files.watch((context) => taken.push(context));
    for (const name of ['cert', 'key']) {
      await symlink(path(`${name}2`), path('new'));
      await rename(path('new'), path(`${name}.pem`));
    }
    await check(() => taken.length > 0);
    expect(taken[0]?.key).toEqual(Buffer.from(second.key));
    stop();
  });
});

describe('the end of a certificate', () => {
  it('that is near is told once: by who serves with it, not by the look at the files before', async () => {
    await write(first.cert, first.key);
    const paths = { certFile: path('cert.pem'), keyFile: path('key.pem') };
    const endMs = Date.parse(new X509Certificate(first.cert).validTo);
    expect(await readPair(paths)).toEqual({ cert: Buffer.from(first.cert), key: Buffer.from(first.key) });
    expect(log.lines).toEqual([]);
    await new CertificateFiles(paths, new VirtualTime(endMs + 1_000), time, log).load();
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([['warn', expect.stringContaining('expired on')]]);
  });

  const validFrom = 'Jan  1 00:00:00 2026 GMT';
  const validTo = 'Apr  1 00:00:00 2026 GMT';
  it.each([
    ['2025-12-31', 'not valid before 2026-01-01'],
    ['2026-02-01', undefined],
    ['2026-03-20', undefined],
    ['2026-03-28', 'expires on 2026-04-01'],
    ['2026-04-02', 'expired on 2026-04-01'],
  ])('on %s: %s', (day, words) => {
    const warning = expiryWarning({ validFrom, validTo }, Date.parse(day));
    if (words === undefined) expect(warning).toBeUndefined();
    else expect(warning).toContain(words);
  });

  it('of one that lasts six days is not near from the beginning', () => {
    const short = { validFrom, validTo: 'Jan  7 00:00:00 2026 GMT' };
    expect(expiryWarning(short, Date.parse('2026-01-02'))).toBeUndefined();
    expect(expiryWarning(short, Date.parse('2026-01-06'))).toContain('expires on');
  });
});
