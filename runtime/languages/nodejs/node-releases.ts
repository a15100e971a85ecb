// The releases of Node that apps may ask for. An app names the major; which of its releases it runs on is the
// platform's to say, so that security releases reach every app with the next release of the platform.
import { type RuntimePackage } from '../port.ts';

export interface NodeRelease {
  readonly major: number;
  readonly version: string;
  /** The project mends nothing after this day. */
  readonly endOfLife: string;
  /** `sha512-…` of the npm package for each kind of processor, named as `process.arch` names it. */
  readonly integrity: Readonly<Record<string, string>>;
}

export const NODE_RELEASES: readonly NodeRelease[] = [
  {
    major: 20,
    version: '20.20.2',
    endOfLife: '2026-04-30',
    integrity: {
      x64: 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
      arm64: 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
    },
  },
  {
    major: 22,
    version: '22.23.3',
    endOfLife: '2027-04-30',
    integrity: {
      x64: 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
      arm64: 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
    },
  },
  {
    major: 24,
    version: '24.21.0',
    endOfLife: '2028-04-30',
    integrity: {
      x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
      arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    },
  },
];

/** The platform's own Node, which `runtime: nodejs` means. */
export const OWN_NODE_MAJOR = Number(process.versions.node.split('.')[0]);

export const runtimeName = (major: number): string => `nodejs${major}`;

export function releaseOf(runtime: string): NodeRelease | undefined {
  return NODE_RELEASES.find(({ major }) => runtimeName(major) === runtime);
}

/** None on a kind of machine that the packages do not know: there the machine's own Node alone serves. */
export function nodePackages(platform: string, arch: string): readonly RuntimePackage[] {
  if (platform !== 'linux') return [];
  return NODE_RELEASES.flatMap(({ major, version, integrity }) => {
    const known = integrity[arch];
    if (known === undefined) return [];
    return {
      name: runtimeName(major),
      title: `Node ${major}`,
      version,
      npmPackage: `node-linux-${arch}`,
      integrity: known,
      programs: 'bin',
      probe: ['node', '--version'],
    };
  });
}
