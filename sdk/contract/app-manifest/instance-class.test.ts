import { expect, it } from 'vitest';
import { defaultInstanceClass, INSTANCE_CLASSES, instanceClassesFor, nextLargerClass } from './instance-class.ts';

const MiB = 1024 * 1024;

/** App Engine's table (second generation): memory, and CPU in units of 600 MHz. */
it.each([
  ['F1', 384, 1],
  ['F2', 768, 2],
  ['F4', 1_536, 4],
  ['F4_1G', 3_072, 4],
  ['B1', 384, 1],
  ['B2', 768, 2],
  ['B4', 1_536, 4],
  ['B4_1G', 3_072, 4],
  ['B8', 3_072, 8],
])('%s has %i MiB and %i times the CPU of the smallest', (name, mebibytes, cpuWeight) => {
  expect(INSTANCE_CLASSES.get(name)).toMatchObject({ memoryBytesMax: mebibytes * MiB, cpuWeight });
});

it('has no other class, F for automatic scaling and B for the others', () => {
  expect(instanceClassesFor('automatic')).toEqual(['F1', 'F2', 'F4', 'F4_1G']);
  expect(instanceClassesFor('basic')).toEqual(['B1', 'B2', 'B4', 'B4_1G', 'B8']);
  expect(instanceClassesFor('manual')).toEqual(instanceClassesFor('basic'));
  expect([defaultInstanceClass('automatic'), defaultInstanceClass('basic'), defaultInstanceClass('manual')]).toEqual(['F1', 'B2', 'B2']);
});

it.each([
  ['F1', 'F2'],
  ['F4', 'F4_1G'],
  ['F4_1G', undefined],
  ['B4_1G', undefined],
  ['B1', 'B2'],
  ['unknown', undefined],
])('after %s comes %s when memory runs out', (name, next) => {
  expect(nextLargerClass(name)).toBe(next);
});
