import { expect, it } from 'vitest';
import { parseAppManifest } from '../../../sdk/contract/app-manifest/app-yaml.ts';
import { findLanguage } from '../language-table.ts';

const source = { paths: new Set<string>(), readText: () => Promise.reject(new Error('nothing is read')) };
const plan = (yaml: string) => findLanguage('custom').plan(parseAppManifest(yaml, 'app.yaml'), source, { nowMs: 0 });
const forwarder = '/srv/platform/forwarder/forwarder';

it.each<[string, readonly string[]]>([
  ['./server', ['sh', '-c', 'exec ./server']],
  ['python3 -m http.server $PORT', ['sh', '-c', 'exec python3 -m http.server $PORT']],
  ['./migrate && ./server', ['sh', '-c', './migrate && ./server']],
  ['MODE=x ./server', ['sh', '-c', 'MODE=x ./server']],
])('starts %s behind the forwarder, by a shell that does not stay where it need not', async (entrypoint, command) => {
  expect((await plan(`runtime: custom\nentrypoint: ${entrypoint}\n`)).command).toEqual([forwarder, ...command]);
});

it('leads what knows of proxies to the way out, in both spellings', async () => {
  const { environment } = await plan('runtime: custom\nentrypoint: ./server\n');
  const port = environment['APPENGINE_EGRESS_PORT'] ?? '';
  expect(Number(port)).toBeGreaterThan(60_999);
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy']) expect(environment[name]).toBe(`http://127.0.0.1:${port}`);
});

it('asks for an entrypoint', async () => {
  await expect(plan('runtime: custom\n')).rejects.toMatchObject({
    code: 'MANIFEST_INVALID',
    message: expect.stringContaining('entrypoint: ./server'),
  });
});
