// What the scheduler sees at the moment of asking.
import { type PoolView, type SchedulerView } from '../../scheduler/scheduler-view.ts';
import { gauge, type Labels, type MetricFamily, type MetricSource, type Sample } from './metric-family.ts';

const STATES = ['starting', 'warming', 'ready', 'stopping'] as const;

export class SchedulerMetrics implements MetricSource {
  readonly #view: () => SchedulerView;

  constructor(view: () => SchedulerView) {
    this.#view = view;
  }

  collect(): MetricFamily[] {
    const { pools, hostRoom } = this.#view();
    const byVersion = byVersionOf(pools);
    const sums = (name: string, help: string, value: (pool: PoolView) => number): MetricFamily =>
      gauge(
        name,
        help,
        byVersion.map(([labels, same]) => ({ labels, value: same.reduce((sum, pool) => sum + value(pool), 0) })),
      );
    return [
      sums('appengine_requests_in_flight', 'Requests that instances have now.', ({ inFlight }) => inFlight),
      sums('appengine_requests_queued', 'Requests that wait for an instance now.', ({ queued }) => queued),
      sums(
        'appengine_start_failures_in_a_row',
        'Starts that failed since the last one that did not.',
        ({ startFailures }) => startFailures,
      ),
      gauge('appengine_instances', 'Instances by state, as the scheduler sees them.', byVersion.flatMap(statesOf)),
      gauge('appengine_host_room', 'Instances that may still be started.', [{ labels: {}, value: hostRoom }]),
    ];
  }
}

type Group = readonly [labels: Labels, pools: readonly PoolView[]];

/** Deployments of one version, an old and a new one, count together. */
function byVersionOf(pools: readonly PoolView[]): Group[] {
  const groups = new Map<string, { readonly labels: Labels; readonly pools: PoolView[] }>();
  for (const pool of pools) {
    const { appId, service, version } = pool;
    const key = `${appId} ${service} ${version}`;
    const group = groups.get(key) ?? { labels: { app: appId, service, version }, pools: [] };
    group.pools.push(pool);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ labels, pools: same }) => [labels, same]);
}

function statesOf([labels, pools]: Group): Sample[] {
  const instances = pools.flatMap((pool) => pool.instances);
  return STATES.map((state) => ({
    labels: { ...labels, state },
    value: instances.filter((instance) => instance.state === state).length,
  }));
}
