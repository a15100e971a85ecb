import { devAppServer } from './peers/dev-appserver.ts';
import { knative } from './peers/knative.ts';
import { runWorld } from './scheduler-world.ts';
import { ourScheduler, type SourceFactory } from './serving-source.ts';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { type Traffic } from './traffic.ts';
import { figuresOf, quantile, settlingMs, type WorldFigures } from './world-figures.ts';

export interface Contender {
  readonly name: string;
  readonly source: SourceFactory;
}

export const OURS = 'ours';
export const CONTENDERS: readonly Contender[] = [
  { name: OURS, source: ourScheduler() },
  { name: 'Knative', source: knative },
  { name: 'dev_appserver', source: devAppServer },
];

export interface ContenderFigures extends WorldFigures {
  readonly name: string;
  /** From a step of load until p99 was back under 1.2 × steady; undefined for traffic without a step. */
  readonly settledMs?: number;
}

export interface Comparison {
  readonly trace: string;
  readonly about: string;
  readonly seed: number;
  readonly contenders: readonly ContenderFigures[];
}

/** How close counts as level. */
export const LEVEL_SHARE = 1.05;
const SETTLED_SHARE = 1.2;
/** Mean service is far below this, so that all are answered by then. */
const AFTER_MS = 60_000;

export interface ComparisonOptions {
  readonly seed: number;
  /** How long an instance takes to start, with everybody. */
  readonly readyMs: number;
}

/** The same arrivals, service times and start times for each. Throws when a run broke a promise, for then its figures are void. */
export async function compare(trace: string, about: string, traffic: Traffic, options: ComparisonOptions): Promise<Comparison> {
  const { seed, readyMs } = options;
  const contenders: ContenderFigures[] = [];
  for (const { name, source } of CONTENDERS) {
    const report = await runWorld({ seed, readyMs, traffic, source, afterMs: AFTER_MS });
    if (report.violations.length > 0) throw new Error(`${name} on ${trace}, seed ${seed}: ${report.violations.slice(0, 3).join('; ')}`);
    const { stepAtMs } = traffic;
    const settled =
      stepAtMs === undefined ? {} : { settledMs: settlingMs(report.outcomes, stepAtMs, steadyMs(traffic, seed) * SETTLED_SHARE) };
    contenders.push({ name, ...figuresOf(report), ...settled });
  }
  return { trace, about, seed, contenders };
}

/** What nobody can be better than: the service times alone. */
function steadyMs(traffic: Traffic, seed: number): number {
  const services = traffic.arrivals(new SeededRandom(seed)).map(({ serviceMs }) => serviceMs);
  return quantile(services, 0.99);
}

/** Where ours is not level with a peer, with what the peer paid for it; empty when level in both figures with both. */
export function shortfalls({ contenders }: Comparison): readonly string[] {
  const ours = contenders.find(({ name }) => name === OURS);
  if (!ours) return [];
  return contenders
    .filter((peer) => peer !== ours)
    .flatMap((peer) => {
      const [p99, cost] = [ours.p99Ms / peer.p99Ms, ours.instanceSeconds / peer.instanceSeconds];
      return [
        ...(p99 > LEVEL_SHARE ? [`p99 is ${times(p99)} ${peer.name}'s, ${latencyPrice(ours, peer)}`] : []),
        ...(cost > LEVEL_SHARE ? [`instance-seconds are ${times(cost)} ${peer.name}'s, ${costPrice(ours, peer)}`] : []),
      ];
    });
}

function latencyPrice(ours: ContenderFigures, peer: ContenderFigures): string {
  const cost = peer.instanceSeconds / ours.instanceSeconds;
  return cost > LEVEL_SHARE ? `which runs ${times(cost)} our instance-seconds for it` : 'which runs no more instance-seconds for it';
}

function costPrice(ours: ContenderFigures, peer: ContenderFigures): string {
  const prices = [
    ...(peer.p99Ms > ours.p99Ms * LEVEL_SHARE ? [`its p99 is ${times(peer.p99Ms / ours.p99Ms)} ours`] : []),
    ...(peer.coldRequests > ours.coldRequests * LEVEL_SHARE
      ? [`${share(peer.coldRequests, peer.requests)} of its requests wait for a start, ${share(ours.coldRequests, ours.requests)} of ours`]
      : []),
  ];
  return prices.length > 0 ? `but ${prices.join(', and ')}` : 'at no worse latency';
}

function times(ratio: number): string {
  return `${ratio.toPrecision(3)} ×`;
}

export function share(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(2)} %`;
}
