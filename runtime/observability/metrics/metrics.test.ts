import { describe, expect, it } from 'vitest';
import { type RequestLogRow } from '../../../router/ports.ts';
import { MemoryRequestLog } from '../../../router/memory-ports.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { VirtualTime } from '../../../sdk/support/virtual-time.ts';
import { type InstanceView } from '../../host/instance.ts';
import { InstanceWatchers } from '../../host/instance-watchers.ts';
import { CallMetrics } from './call-metrics.ts';
import { Histogram, histogramFamily } from './histogram.ts';
import { InstanceMetrics } from './instance-metrics.ts';
import { counter, gauge, type MetricFamily } from './metric-family.ts';
import { labelled, metricsText } from './metrics-text.ts';
import { ProcessMetrics } from './process-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';
import { SchedulerMetrics } from './scheduler-metrics.ts';
import { VersionSeries } from './version-series.ts';

/** As Prometheus' parser reads the format: names, label values with escapes, numbers. Throws what it would refuse. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  let family = '';
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.trimEnd().split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment?.[1] === 'TYPE') {
      expect(types.has(comment[2]!), `${comment[2]} stands together`).toBe(false);
      types.set(comment[2]!, comment[3]!);
      family = comment[2]!;
      continue;
    }
    if (comment) continue;
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/.exec(line);
    if (!sample) throw new Error(`not a sample: ${line}`);
    expect(sample[1]!.replace(types.get(family) === 'histogram' ? /_(bucket|sum|count)$/ : '', '')).toBe(family);
    const key = `${sample[1]}${sample[2] ?? ''}`;
    expect(samples.has(key), `${key} once`).toBe(false);
    samples.set(key, sample[3] === '+Inf' ? Infinity : Number(sample[3]));
    expect(samples.get(key)).not.toBeNaN();
  }
  return samples;
}

const valueOf = (families: readonly MetricFamily[], key: string): number | undefined => parse(metricsText(families)).get(key);

describe('the text format', () => {
  it('is what Prometheus reads, whatever stands in labels', () => {
    const odd = { app: 'a"b\\c\nd', version: '' };
    const text = metricsText([
      counter('b_total', 'Help with \\ and\nline.', [{ labels: odd, value: 1 }]),
      gauge('a', 'First by name.', [{ labels: {}, value: -Infinity }]),
      gauge('empty', 'Of no sample.', []),
      ...labelled([counter('b_total', 'The same of another role.', [{ labels: {}, value: 2.5 }])], { role: 'x' }),
    ]);
    expect(text).toBe(
      '# HELP a First by name.\n# TYPE a gauge\na -Inf\n# HELP b_total Help with \\\\ and\\nline.\n# TYPE b_total counter\n' +
        'b_total{app="a\\"b\\\\c\\nd",version=""} 1\nb_total{role="x"} 2.5\n',
    );
    expect(parse(text.replace('-Inf', '0')).get('b_total{role="x"}')).toBe(2.5);
  });

  it('counts a histogram up, with its sum', () => {
    const histogram = new Histogram([1, 2]);
    for (const value of [0.5, 1, 1.5, 7]) histogram.observe(value);
    const family = histogramFamily(
      'h',
      'x',
      [
        [{ a: 'b' }, histogram],
        [{ a: 'unused' }, new Histogram([1, 2])],
      ],
      [1, 2],
    );
    expect([...parse(metricsText([family]))]).toEqual([
      ['h_bucket{a="b",le="1"}', 2],
      ['h_bucket{a="b",le="2"}', 3],
      ['h_bucket{a="b",le="+Inf"}', 4],
      ['h_sum{a="b"}', 10],
      ['h_count{a="b"}', 4],
    ]);
  });
});

const row = (changes: Partial<RequestLogRow> = {}): RequestLogRow => ({
  ...{
    requestId: 'r',
    startedAtMs: 1,
    appId: 'shop',
    service: 'default',
    version: 'v1',
    instanceId: 'i',
    method: 'GET',
    host: 'h',
    target: '/',
  },
  ...{
    status: 200,
    latencyMs: 20,
    pendingMs: 0,
    isLoadingRequest: false,
    requestBytes: 5,
    responseBytes: 7,
    clientAddress: '::1',
    retries: 0,
  },
  ...changes,
});

describe('requests', () => {
  const time = new VirtualTime();
  const all = (metrics: RequestMetrics): Map<string, number> => parse(metricsText(metrics.collect()));

  it('are counted by version and status, and handed on', () => {
    const next = new MemoryRequestLog();
    const metrics = new RequestMetrics(next, time, () => true);
    metrics.write(row());
    metrics.write(row({ status: 503, latencyMs: 3_000, retries: 2, pendingMs: 400 }));
    metrics.write(row({ appId: '', service: '', version: '', status: 404 }));
    metrics.write(row({ version: 'v2', coldStart: { spawnMs: 20, readyMs: 80, firstByteMs: 5 } }));
    expect(next.rows).toHaveLength(4);
    const found = all(metrics);
    const of = (name: string, more: string): number | undefined => found.get(`${name}{app="shop",service="default",version="v1"${more}}`);
    expect(of('appengine_request_seconds_bucket', ',status="2xx",le="0.025"')).toBe(1);
    expect(of('appengine_request_seconds_bucket', ',status="2xx",le="0.01"')).toBe(0);
    expect(of('appengine_request_seconds_sum', ',status="5xx"')).toBe(3);
    expect(of('appengine_requests_total', ',status="503"')).toBe(1);
    expect(of('appengine_pending_seconds_bucket', ',le="0.25"')).toBe(1);
    expect(of('appengine_request_bytes_total', '')).toBe(10);
    expect(of('appengine_response_bytes_total', '')).toBe(14);
    expect(of('appengine_retries_total', '')).toBe(2);
    expect(found.get('appengine_requests_total{app="",service="",version="",status="404"}')).toBe(1);
    expect(found.get('appengine_cold_start_seconds_sum{app="shop",service="default",version="v2",phase="ready"}')).toBe(0.08);
    metrics.lifecycle.write(row({ version: 'v2', coldStart: { readyMs: 20 } }));
    expect(all(metrics).get('appengine_cold_start_seconds_count{app="shop",service="default",version="v2",phase="ready"}')).toBe(2);
    expect(all(metrics).get('appengine_requests_total{app="shop",service="default",version="v2",status="200"}')).toBe(1);
    expect([...found.keys()].some((key) => key.includes('phase="load"'))).toBe(false);
  });

  it('of an app that answers with every status there is take a bounded number of series', () => {
    const metrics = new RequestMetrics(new MemoryRequestLog(), time, () => true);
    for (let status = 200; status < 600; status++) metrics.write(row({ status }));
    const totals = [...all(metrics)].filter(([key]) => key.startsWith('appengine_requests_total'));
    expect(totals.length).toBeLessThan(50);
    expect(totals.reduce((sum, [, value]) => sum + value, 0)).toBe(400);
  });

  it('of versions without number share a series', () => {
    const metrics = new RequestMetrics(new MemoryRequestLog(), time, () => true);
    for (let index = 0; index < LIMITS.metricVersionsMax + 20; index++) metrics.write(row({ version: `v${index}` }));
    const found = all(metrics);
    expect(found.get('appengine_requests_total{app="~others",service="",version="",status="200"}')).toBe(20);
    expect([...found.keys()].filter((key) => key.startsWith('appengine_requests_total')).length).toBe(LIMITS.metricVersionsMax + 1);
  });
});

describe('series of versions', () => {
  it('go when their version is gone and nothing was counted for long', () => {
    const series = new VersionSeries(() => ({ count: 0 }));
    const name = (version: string) => ({ appId: 'a', service: 's', version });
    series.of(name('gone'), 0).count++;
    series.of(name('kept'), 0).count++;
    const versions = (nowMs: number): (string | undefined)[] =>
      series.entries(nowMs, ({ version }) => version === 'kept').map(([labels]) => labels['version']);
    expect(versions(LIMITS.metricIdleMs - 1)).toEqual(['gone', 'kept']);
    expect(versions(LIMITS.metricIdleMs)).toEqual(['kept']);
    expect(series.of(name('gone'), 1).count).toBe(0);
    expect(series.of(name('kept'), 1).count).toBe(1);
  });
});

describe('instances', () => {
  it('are counted by how they end, with what they used', async () => {
    const views = new Map<string, InstanceView>();
    const watchers = new InstanceWatchers(() => views.values());
    const put = (view: InstanceView): void => {
      if (view.state === 'exited') views.delete(view.id);
      else views.set(view.id, view);
      watchers.notify(view);
    };
    const view = (id: string, state: InstanceView['state'], changes: Partial<InstanceView> = {}): InstanceView => ({
      ...{
        id,
        appId: 'shop',
        service: 'default',
        version: 'v1',
        deploymentId: 'd',
        socketDirectory: '/',
        startedAtMs: 0,
        phases: {},
        state,
      },
      ...changes,
    });
    const exit = (reason: string, code: number | null = null) => ({
      code,
      signal: null,
      reason,
      errorCode: 'INSTANCE_EXITED' as const,
      stderrTail: '',
    });
    const metrics = new InstanceMetrics(
      {
        list: () => Promise.resolve([...views.values()]),
        watch: (listener) => watchers.add(listener),
        capacity: () =>
          Promise.resolve({ instances: 1, instancesMax: 9, memory: { budgetBytes: 1_000, usedBytes: 100, committedBytes: 300 } }),
      },
      new VirtualTime(),
    );
    metrics.start();
    put(view('a', 'starting'));
    put(view('a', 'ready', { cpuMicros: 2_000_000, memoryBytes: 100 }));
    put(view('b', 'starting'));
    put(view('b', 'exited', { exit: exit('exited with code 1', 1), cpuMicros: 500_000 }));
    put(view('c', 'starting'));
    put(view('c', 'ready'));
    put(view('c', 'exited', { exit: exit('killed: over its memory limit of 128 MiB') }));
    put(view('i', 'starting', { appId: '~images' }));
    const families = await metrics.collect();
    const labels = 'app="shop",service="default",version="v1"';
    expect(valueOf(families, `appengine_instance_starts_total{${labels}}`)).toBe(3);
    expect(valueOf(families, `appengine_instance_exits_total{${labels},reason="start_failed"}`)).toBe(1);
    expect(valueOf(families, `appengine_instance_exits_total{${labels},reason="out_of_memory"}`)).toBe(1);
    expect(valueOf(families, `appengine_cpu_seconds_total{${labels}}`)).toBe(2.5);
    expect(valueOf(families, `appengine_memory_bytes{${labels}}`)).toBe(100);
    expect(valueOf(families, 'appengine_memory_budget_bytes')).toBe(1_000);
    expect(valueOf(families, 'appengine_memory_committed_bytes')).toBe(300);
    expect(metricsText(families)).not.toContain('~images');
  });
});

describe('the scheduler', () => {
  it('tells of the deployments of one version together', () => {
    const instance = (state: 'ready' | 'starting') => ({ id: state, state, inFlight: 0, isSuspect: false, startedAtMs: 0 });
    const pool = (deploymentId: string, inFlight: number, states: readonly ('ready' | 'starting')[]) => ({
      ...{
        appId: 'shop',
        service: 'default',
        version: 'v1',
        deploymentId,
        scaling: 'automatic' as const,
        isServing: true,
        isStopped: false,
        isDraining: false,
        inFlight,
        queued: 1,
      },
      ...{ headWaitMs: 0, requested: 0, instances: states.map(instance), startFailures: 0 },
    });
    const metrics = new SchedulerMetrics(() => ({ hostRoom: 9, pools: [pool('d1', 2, ['ready']), pool('d2', 3, ['ready', 'starting'])] }));
    const labels = 'app="shop",service="default",version="v1"';
    expect(valueOf(metrics.collect(), `appengine_requests_in_flight{${labels}}`)).toBe(5);
    expect(valueOf(metrics.collect(), `appengine_requests_queued{${labels}}`)).toBe(2);
    expect(valueOf(metrics.collect(), `appengine_instances{${labels},state="ready"}`)).toBe(2);
    expect(valueOf(metrics.collect(), 'appengine_host_room')).toBe(9);
  });
});

describe('calls and processes', () => {
  it('are told by service, method and result', () => {
    const time = new VirtualTime();
    const calls = new CallMetrics(time);
    calls.end('memcache', 'get', calls.begin(), 'ok');
    calls.end('memcache', 'get', calls.begin(), 'CACHE_KEY_INVALID');
    expect(valueOf(calls.collect(), 'appengine_api_calls_total{api="memcache",method="get",result="ok"}')).toBe(1);
    expect(valueOf(calls.collect(), 'appengine_api_call_seconds_count{api="memcache",method="get"}')).toBe(2);
  });

  it('say what the process uses', () => {
    const time = new VirtualTime();
    const metrics = new ProcessMetrics(time, time);
    metrics.start();
    const families = metrics.collect();
    metrics.close();
    expect(valueOf(families, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    expect(valueOf(families, 'process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(valueOf(families, 'nodejs_eventloop_lag_seconds{quantile="max"}')).toBeGreaterThanOrEqual(0);
  });
});
