import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dnsResolver } from './resolver-dns.ts';

let directory: string;
let hostsFile: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hosts-'));
  hostsFile = join(directory, 'hosts');
  writeFileSync(
    hostsFile,
    '# 10.9.9.9 commented.example\n127.0.0.1\tlocalhost\n10.1.2.3  db db.example # the database\nfd00::5 DB.example\n',
  );
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

test('names of the hosts file lead to all of their addresses, whatever their case', async () => {
  expect(await dnsResolver({ hostsFile })('Db.Example')).toEqual(['10.1.2.3', 'fd00::5']);
  expect(await dnsResolver({ hostsFile })('db')).toEqual(['10.1.2.3']);
});

test.each(['localhost', 'LOCALHOST', 'an-app.localhost'])('%s is this machine, and no name server is asked', async (name) => {
  expect(await dnsResolver({ hostsFile: join(directory, 'none') })(name)).toEqual(['127.0.0.1']);
});

test('a name that nobody knows is FETCH_FAILED', async () => {
  await expect(dnsResolver({ hostsFile })('commented.invalid')).rejects.toThrow(
    expect.objectContaining({ code: 'FETCH_FAILED', message: expect.stringContaining('commented.invalid') }),
  );
});
