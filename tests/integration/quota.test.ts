// Quotas and billing on a real platform: an app that burns CPU past a tiny quota is stopped within two seconds, however it burns
// it; other apps do not notice, billing brings it back, and no restart loses or doubles what was counted.
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminInstanceView } from '../../sdk/contract/admin/admin.ts';
import { type BillingView, type InvoiceView, type MetricsView, type QuotasView, type UsageView } from '../../sdk/contract/admin/usage.ts';
import { MEGACYCLES_PER_CPU_SECOND, type UsageResource } from '../../sdk/contract/usage.ts';
import { type Answer, command, PlatformProcess, processesBelow, run, waitFor } from './platform-process.ts';

/** Starting its Node takes an app about a tenth of it. */
const QUOTA_CPU_SECONDS = 3;
const ENFORCED_MS_MAX = 2_000;

/** Answers first and burns afterwards: in the event loop, or in children that outlive the request. */
const BURNER = `
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
const burn = () => { const end = performance.now() + 40; while (performance.now() < end); };
const ways = {
  '/after-the-response': () => { burn(); setTimeout(ways['/after-the-response'], 1); },
  '/in-children': () => {
    for (let child = 0; child < 2; child++) spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  },
};
createServer((request, response) => {
  response.on('close', () => ways[request.url]?.());
  response.end('ok');
}).listen(process.env.PORT);
`;

let platform: PlatformProcess;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quota-'));
  const app = join(directory, 'app');
  await mkdir(app);
  await writeFile(join(app, 'app.yaml'), 'runtime: nodejs\nentrypoint: node server.mjs\n');
  await writeFile(join(app, 'server.mjs'), BURNER);
  const tiny = `{ cpuMegacycles: { daily: ${QUOTA_CPU_SECONDS} CPU-seconds } }`;
  const quotas = `time_zone: UTC\napps:\n  after: ${tiny}\n  children: ${tiny}\n  few: { requests: { daily: 5 } }\n`;
  await writeFile(join(directory, 'quotas.yaml'), quotas);
  platform = await PlatformProcess.start('--quotas', join(directory, 'quotas.yaml'));
  for (const id of ['after', 'children', 'few', 'neighbour']) await platform.appengineJson('deploy', app, '--app', id);
});

afterAll(async () => {
  await platform.remove();
  await rm(directory, { recursive: true, force: true });
});

/** A call of the admin API, without the command line's start. */
async function admin<T>(path: string, change?: unknown): Promise<T> {
  const token = readFileSync(join(platform.dataDirectory, 'credentials', 'owner-token'), 'utf8').trim();
  const response = await fetch(`${platform.consoleUrl}/api/v1${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(change === undefined ? {} : { method: 'PUT', body: JSON.stringify(change) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

async function used(app: string, resource: UsageResource): Promise<number> {
  const { quotas } = await admin<QuotasView>(`/apps/${app}/quotas`);
  return quotas.find((quota) => quota.resource === resource)!.used;
}

/** Billing and the counter are read one after the other, so an app at rest may be this many CPU-seconds further than billing said. */
const READING_SLACK = 0.05;

/**
 * Seconds of CPU by the kernel's own counter of the app's control group, the truth that billing must follow: that of all its
 * instances, since a busy app may be given a second one.
 */
async function cpuCounterOf(app: string): Promise<() => number> {
  const { instances } = await admin<{ instances: AdminInstanceView[] }>(`/apps/${app}/instances`);
  const { pid } = instances[0]!;
  const member = processesBelow(pid!).at(-1)!.pid;
  const groups = readFileSync(`/proc/${member}/cgroup`, 'utf8').trim().split('\n');
  const pathOf = (pattern: RegExp): string | undefined => groups.map((line) => pattern.exec(line)?.[1]).find((path) => path !== undefined);
  const v1 = pathOf(/:(?:cpuacct|cpu,cpuacct|cpuacct,cpu):(.+)\/[^/]+$/);
  if (v1 !== undefined) return () => Number(readFileSync(`/sys/fs/cgroup/cpuacct${v1}/cpuacct.usage`, 'utf8')) / 1e9;
  const v2 = pathOf(/^0::(.+)\/[^/]+$/);
  return () => Number(/usage_usec (\d+)/.exec(readFileSync(`/sys/fs/cgroup${v2}/cpu.stat`, 'utf8'))![1]) / 1e6;
}

/** As soon as there is one: it may still be on its way back from the last time. */
async function killControl(): Promise<void> {
  process.kill(await waitFor('a control role', () => platform.rolePid('control')), 'SIGKILL');
}

const ask = (app: string, accept = 'text/html'): Promise<Answer> => platform.http(app, '/', { headers: { accept } });

describe.for([
  ['after', '/after-the-response'],
  ['children', '/in-children'],
] as const)('an app that burns CPU %s', ([app, way]) => {
  test('is answered for with 503 within two seconds after it passed its quota, and its neighbour goes on', async (context) => {
    if (platform.output.includes('control groups cannot be used')) context.skip('CPU cannot be metered here: run as root');
    expect((await ask(app)).status).toBe(200);
    // What was counted before the group's counter began: earlier instances, builds.
    const counter = await cpuCounterOf(app);
    const before = await waitFor('the counter and billing agree on an app at rest', async () => {
      const [billed, counted] = [(await used(app, 'cpuMegacycles')) / MEGACYCLES_PER_CPU_SECOND, counter()];
      return billed >= counted - READING_SLACK && billed - counted;
    });
    await platform.http(app, way);

    let passedMs: number | undefined;
    const watch = setInterval(() => {
      if (passedMs === undefined && before + counter() >= QUOTA_CPU_SECONDS - READING_SLACK) passedMs = performance.now();
    }, 5);
    try {
      const refused = await waitFor(
        'a 503',
        async () => {
          const answer = await ask(app);
          return answer.status === 503 && answer;
        },
        60_000,
      );
      const refusedMs = performance.now();
      expect(refused.text).toContain('The app is over its quota');
      expect(passedMs, `the quota was passed by the kernel's counter, at ${before} + ${counter()} CPU-seconds`).toBeDefined();
      console.info(`503 came ${Math.round(refusedMs - passedMs!)} ms after the CPU was burnt`);
      expect(refusedMs - passedMs!).toBeLessThanOrEqual(ENFORCED_MS_MAX);
      expect(refused.text).toMatch(/CPU time, per day/);
      const [, used] = /([\d.]+) CPU-hours of 0\.000833 CPU-hours/.exec(refused.text) ?? [];
      expect(Number(used)).toBeGreaterThanOrEqual(0.000833);
      expect(Number(used)).toBeLessThan(0.01);
      expect(refused.text).toMatch(/\d{4}-\d\d-\d\d 00:00:00 UTC/);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    } finally {
      clearInterval(watch);
    }
    const json = await ask(app, 'application/json');
    const { error } = JSON.parse(json.text) as { error: { code: string; details: Record<string, unknown> } };
    expect(error).toMatchObject({ code: 'QUOTA_EXCEEDED', details: { resource: 'cpuMegacycles', reason: 'free' } });
    expect((await ask('neighbour')).status).toBe(200);
  });

  test('answers again within two seconds after billing was enabled, and pays for what is beyond the free quota', async () => {
    await platform.appengineJson<BillingView>('billing', 'enable', '--app', app, '--budget', '2.50');
    const enabledMs = performance.now();
    await waitFor('the app answers', async () => (await ask(app)).status === 200);
    expect(performance.now() - enabledMs).toBeLessThanOrEqual(ENFORCED_MS_MAX);

    const bill = await waitFor('something is charged', async () => {
      const view = await admin<BillingView>(`/apps/${app}/billing`);
      return view.chargedMicros > 0 && view;
    });
    expect(bill).toMatchObject({ isEnabled: true, dailyBudgetMicros: 2_500_000 });
    const invoice = await admin<InvoiceView>(`/apps/${app}/invoice`);
    const line = invoice.lines.find(({ resource }) => resource === 'cpuMegacycles')!;
    expect(line.used).toBe(invoice.rows.reduce((sum, row) => sum + (row.amounts.cpuMegacycles ?? 0), 0));
    expect(line.billed).toBe(line.used - QUOTA_CPU_SECONDS * MEGACYCLES_PER_CPU_SECOND);
    expect(invoice.totalMicros).toBe(invoice.lines.reduce((sum, one) => sum + one.amountMicros, 0));
  });

  test('is stopped again by a budget that is used up', async () => {
    await admin(`/apps/${app}/billing`, { dailyBudgetMicros: 0 });
    const refused = await waitFor('a 503', async () => {
      const answer = await ask(app, 'application/json');
      return answer.status === 503 && answer;
    });
    expect(refused.text).toContain('"reason":"budget"');
  });

  test('runs nothing any more soon after', async () => {
    await waitFor(
      'no instance',
      async () => {
        const { instances } = await admin<{ instances: AdminInstanceView[] }>(`/apps/${app}/instances`);
        return instances.length === 0;
      },
      40_000,
    );
    expect((await ask(app)).status).toBe(503);
  });
});

test('a file of quotas that is wrong is refused with line and column, and nothing starts', async () => {
  const file = join(directory, 'wrong.yaml');
  await writeFile(file, 'quotas:\n  request: { daily: 5 }\n');
  const { code, stdout, stderr } = await run(process.execPath, [command, 'serve', '--ephemeral', '--port', '0', '--quotas', file]);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain('wrong.yaml, line 2, column 3: unknown element "request" in "quotas"; did you mean "requests"?');
  expect(stderr).toContain('(QUOTA_FILE_INVALID)');
});

test('requests are counted to the last one, however often the control role is killed', async () => {
  const before = await used('neighbour', 'requests');
  const sent = 60;
  for (let request = 0; request < sent; request++) {
    if (request % 20 === 10) await killControl();
    expect((await ask('neighbour')).status).toBe(200);
  }
  await waitFor('every request is counted', async () => {
    const now = await used('neighbour', 'requests').catch(() => -1);
    expect(now).toBeLessThanOrEqual(before + sent);
    return now === before + sent;
  });
});

test('a quota is enforced on, and data stays, when the control role is away', async () => {
  for (let request = 0; request < 5; request++) expect((await ask('few')).status).toBe(200);
  await waitFor('a 503', async () => (await ask('few')).status === 503);
  await killControl();
  expect((await ask('few')).status).toBe(503);
  expect((await ask('neighbour')).status).toBe(200);
  await waitFor('the control role is back', () =>
    used('few', 'requests').then(
      (count) => count >= 5,
      () => false,
    ),
  );
  expect((await ask('few')).status).toBe(503);
});

test('charts show what happened', async () => {
  const { points, stepMs } = await admin<MetricsView>('/apps/children/metrics?minutes=60');
  expect(points).toHaveLength(360);
  expect(points.every((point, index) => index === 0 || point.atMs - points[index - 1]!.atMs === stepMs)).toBe(true);
});

test('totals stay over an orderly restart, and an unexpected one loses at most a minute', async () => {
  const before = await used('neighbour', 'requests');
  expect(before).toBeGreaterThan(0);
  await platform.stop();
  await platform.start();
  expect(await used('neighbour', 'requests')).toBe(before);
  const { days } = await admin<UsageView>('/apps/neighbour/usage?days=1');
  expect(days[0]?.amounts.requests).toBe(before);
  const sent = 10;
  for (let request = 0; request < sent; request++) expect((await ask('neighbour')).status).toBe(200);
  await platform.killTree();
  await platform.start();
  const after = await used('neighbour', 'requests');
  expect(after).toBeGreaterThanOrEqual(before);
  expect(after).toBeLessThanOrEqual(before + sent);
  await waitFor('the router has heard who is over quota', async () => (await ask('few')).status === 503);
});
