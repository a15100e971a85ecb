// Shares of a service's traffic, as somebody edits them: percent with one decimal, so in tenths they are whole.
import { type TrafficRequest, type VersionView } from '../../../sdk/contract/admin/admin.ts';

/** Percent by version. */
export type Percentages = Readonly<Record<string, number>>;

const tenths = (percent: number): number => Math.round(percent * 10);

export function percentagesOf(versions: readonly VersionView[]): Percentages {
  return Object.fromEntries(versions.map(({ version, trafficShare }) => [version, tenths(trafficShare * 100) / 10]));
}

export function sumOf(percentages: Percentages): number {
  return Object.values(percentages).reduce((sum, percent) => sum + tenths(percent), 0) / 10;
}

/** Sets one share. Of two versions the other takes the rest; of more the others stay, and the sum tells what is missing. */
export function withShare(percentages: Percentages, version: string, percent: number): Percentages {
  const value = tenths(Math.min(100, Math.max(0, percent))) / 10;
  const others = Object.keys(percentages).filter((name) => name !== version);
  const [other] = others;
  const rest = others.length === 1 && other !== undefined ? { [other]: tenths(100 - value) / 10 } : {};
  return { ...percentages, ...rest, [version]: value };
}

/** What is missing to 100 goes to one version; what is too much is taken from it. */
export function withRest(percentages: Percentages, version: string): Percentages {
  const others = sumOf({ ...percentages, [version]: 0 });
  return { ...percentages, [version]: Math.max(0, tenths(100 - others) / 10) };
}

/** Equal shares; what does not divide goes to the first ones, a tenth each. */
export function evenly(versions: readonly string[]): Percentages {
  const share = Math.floor(1_000 / versions.length);
  const over = 1_000 - share * versions.length;
  return Object.fromEntries(versions.map((version, index) => [version, (share + (index < over ? 1 : 0)) / 10]));
}

/** Versions without traffic are left out. */
export function splitOf(percentages: Percentages): TrafficRequest['split'] {
  const serving = Object.entries(percentages).filter(([, percent]) => percent > 0);
  return Object.fromEntries(serving.map(([version, percent]) => [version, tenths(percent) / 1_000]));
}

/** The version to roll back to: the newest one that is older than the one with the most traffic. */
export function previousVersion(versions: readonly VersionView[]): VersionView | undefined {
  const [current] = [...versions].sort((a, b) => b.trafficShare - a.trafficShare || b.createdAtMs - a.createdAtMs);
  if (current === undefined) return undefined;
  return versions.filter(({ createdAtMs }) => createdAtMs < current.createdAtMs).sort((a, b) => b.createdAtMs - a.createdAtMs)[0];
}
