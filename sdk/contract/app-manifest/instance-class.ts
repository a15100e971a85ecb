// Instance classes: App Engine's table for second-generation runtimes. F classes scale automatically, B classes are for
// basic and manual scaling; a class of the same number has the same memory and CPU.
import { type Scaling } from './manifest.ts';

const MiB = 1024 * 1024;

export interface InstanceClass {
  readonly memoryBytesMax: number;
  /** Share of a CPU relative to class F1, as the nominal MHz are. */
  readonly cpuWeight: number;
  readonly scaling: 'automatic' | 'basic-or-manual';
}

/** A weight of 1 stands for 600 MHz of a core of 2.4 GHz, App Engine's: an F4 is one core. */
export const CPU_WEIGHT_PER_CORE = 4;

const CLASSES = [
  ['1', 384, 1],
  ['2', 768, 2],
  ['4', 1_536, 4],
  ['4_1G', 3_072, 4],
  ['8', 3_072, 8],
] as const;

/** In the order of their size. There is no F8. */
export const INSTANCE_CLASSES: ReadonlyMap<string, InstanceClass> = new Map([
  ...CLASSES.filter(([size]) => size !== '8').map((row) => classOf('F', row)),
  ...CLASSES.map((row) => classOf('B', row)),
]);

function classOf(letter: 'F' | 'B', [size, mebibytes, cpuWeight]: (typeof CLASSES)[number]): [string, InstanceClass] {
  const scaling = letter === 'F' ? 'automatic' : 'basic-or-manual';
  return [`${letter}${size}`, { memoryBytesMax: mebibytes * MiB, cpuWeight, scaling }];
}

/** The next class of the same scaling with more memory, if there is one. */
export function nextLargerClass(name: string): string | undefined {
  const own = INSTANCE_CLASSES.get(name);
  if (!own) return undefined;
  const larger = ([, other]: [string, InstanceClass]): boolean =>
    other.scaling === own.scaling && other.memoryBytesMax > own.memoryBytesMax;
  return [...INSTANCE_CLASSES].find(larger)?.[0];
}

/** Names of the classes that a version of this scaling may have. */
export function instanceClassesFor(kind: Scaling['kind']): readonly string[] {
  const wanted = kind === 'automatic' ? 'automatic' : 'basic-or-manual';
  return [...INSTANCE_CLASSES].filter(([, { scaling }]) => scaling === wanted).map(([name]) => name);
}

/** App Engine's: the smallest F, and the second smallest B. */
export function defaultInstanceClass(kind: Scaling['kind']): string {
  return kind === 'automatic' ? 'F1' : 'B2';
}
