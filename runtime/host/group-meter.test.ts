import { expect, it } from 'vitest';
import { MemoryUsageMeter } from '../api/usage-meter.ts';
import { GroupMeter } from './group-meter.ts';

it('tells each megacycle once, and no part of one is lost between samples', () => {
  const meter = new MemoryUsageMeter();
  const group = new GroupMeter('shop', meter, 0);
  for (let sample = 1; sample <= 1_000; sample++) group.cpu(sample * 333);
  expect(meter.totals.get('shop')).toEqual({ cpuMegacycles: Math.floor((333_000 * 1_200) / 1e6) });
});

it('counts a second when it begins, and a counter that stands still or falls back for nothing', () => {
  const meter = new MemoryUsageMeter();
  const group = new GroupMeter('shop', meter, 5_000);
  group.lifetime(5_000);
  group.lifetime(5_001);
  group.lifetime(6_000);
  group.lifetime(6_001);
  group.lifetime(5_500);
  group.cpu(1_000_000);
  group.cpu(undefined);
  group.cpu(900_000);
  group.cpu(1_000_000);
  expect(meter.totals.get('shop')).toEqual({ instanceSeconds: 2, cpuMegacycles: 1_200 });
});
