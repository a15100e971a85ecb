import { expect, it } from 'vitest';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { MetricsHistory } from './metrics-history.ts';
import { Observations } from './observations.ts';

const NOON = Date.UTC(2026, 10, 26, 12);

function requests(history: MetricsHistory, ...answers: readonly (readonly [status: number, latencyMs: number])[]): void {
  const seen = new Observations();
  for (const [status, latencyMs] of answers) seen.request('shop', { status, latencyMs, isLoadingRequest: latencyMs > 1_000 });
  history.observed(seen.take());
}

it('draws the last hour in steps of ten seconds and a day in steps of a minute, without holes', () => {
  const time = new VirtualTime(NOON);
  const history = new MetricsHistory(time, time);
  history.start();
  requests(history, [200, 10], [404, 10], [503, 2_000]);
  history.used('shop', { cpuMegacycles: 7, incomingBytes: 1, outgoingBytes: 2, requests: 3 });
  time.advance(25_000);
  requests(history, [200, 20]);
  const { stepMs, points } = history.view('shop', 1);
  expect(stepMs).toBe(10_000);
  expect(points.map(({ atMs }) => atMs)).toEqual([-30_000, -20_000, -10_000, 0, 10_000, 20_000].map((offset) => NOON + offset));
  expect(points[3]).toMatchObject({
    requests: 3,
    clientErrors: 1,
    serverErrors: 1,
    coldStarts: 1,
    cpuMegacycles: 7,
    incomingBytes: 1,
    outgoingBytes: 2,
  });
  expect(points[3]?.latencyP50Ms).toBeGreaterThan(9);
  expect(points[3]?.latencyP50Ms).toBeLessThan(11);
  expect(points[3]?.latencyP99Ms).toBeGreaterThan(1_800);
  expect(points[4]).toEqual({
    ...{ atMs: NOON + 10_000, requests: 0, clientErrors: 0, serverErrors: 0, coldStarts: 0, cpuMegacycles: 0 },
    ...{ incomingBytes: 0, outgoingBytes: 0, instances: 0, memoryBytes: 0 },
  });
  const day = history.view('shop', 1_440);
  expect(day.stepMs).toBe(60_000);
  expect(day.points).toHaveLength(1_440);
  expect(day.points.at(-1)).toMatchObject({ atMs: NOON, requests: 4, serverErrors: 1 });
  expect(history.view('shop', 60).points).toHaveLength(360);
  history.close();
});

it('keeps the most instances and memory of an interval', () => {
  const time = new VirtualTime(NOON);
  const history = new MetricsHistory(time, time);
  for (const [instances, memoryBytes] of [
    [1, 10],
    [3, 30],
    [2, 50],
  ] as const) {
    const seen = new Observations();
    seen.running('shop', instances, memoryBytes);
    history.observed(seen.take());
  }
  expect(history.view('shop', 1).points.at(-1)).toMatchObject({ instances: 3, memoryBytes: 50 });
});

it('forgets what is older than a day, and apps that rest', () => {
  const time = new VirtualTime(NOON);
  const history = new MetricsHistory(time, time);
  history.start();
  requests(history, [200, 1]);
  time.advance(23 * 3_600_000);
  expect(history.view('shop', 1_440).points.reduce((sum, point) => sum + point.requests, 0)).toBe(1);
  expect(history.view('shop', 60).points.reduce((sum, point) => sum + point.requests, 0)).toBe(0);
  time.advance(2 * 3_600_000);
  expect(history.view('shop', 1_440).points.reduce((sum, point) => sum + point.requests, 0)).toBe(0);
});
