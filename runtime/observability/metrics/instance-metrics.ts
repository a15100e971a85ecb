// What the host counts of instances: starts, ends, CPU and memory, whoever asked for them and whatever became of it.
import { type Clock } from '../../../sdk/support/clock.ts';
import { type HostCapacity, type InstanceHost, type InstanceView, isPlatformApp } from '../../host/instance.ts';
import { counter, gauge, type Labels, type MetricFamily, type MetricSource, type Sample } from './metric-family.ts';
import { VersionSeries } from './version-series.ts';

const MICROS_PER_SECOND = 1_000_000;

/** Of one version. */
class InstanceSeries {
  starts = 0;
  /** Ends by what they mean; a start that failed is told from an instance that ended later. */
  readonly exits = new Map<string, number>();
  /** Of instances that have ended. */
  endedCpuMicros = 0;
}

/** Follows the host's own list, so that nothing is counted where instances are started. */
export class InstanceMetrics implements MetricSource {
  readonly #host: Pick<InstanceHost, 'capacity' | 'list' | 'watch'>;
  readonly #clock: Clock;
  readonly #series = new VersionSeries(() => new InstanceSeries());
  /** Seen and not ended, and whether it was ever ready. */
  readonly #known = new Map<string, { wasReady: boolean }>();
  #end: () => void = () => undefined;

  constructor(host: Pick<InstanceHost, 'capacity' | 'list' | 'watch'>, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  start(): void {
    this.#end = this.#host.watch({
      onReset: () => undefined,
      onChange: (view) => {
        if (!isPlatformApp(view.appId)) this.#onChange(view);
      },
    });
  }

  close(): void {
    this.#end();
  }

  async collect(): Promise<MetricFamily[]> {
    const live = (await this.#host.list()).filter(({ appId }) => !isPlatformApp(appId));
    const nowMs = this.#clock.monotonicMs();
    // So that a version whose instances live on keeps what its ended ones used.
    for (const view of live) this.#series.of(view, nowMs);
    const all = this.#series.entries(nowMs);
    const sumOf = (labels: Labels, value: (view: InstanceView) => number): number =>
      live.filter((view) => isOf(view, labels)).reduce((sum, view) => sum + value(view), 0);
    return [
      counter(
        'appengine_instance_starts_total',
        'Instances that were started.',
        all.map(([labels, { starts }]) => ({ labels, value: starts })),
      ),
      counter(
        'appengine_instance_exits_total',
        'Instances that ended, by how; reason start_failed: before they were ready.',
        all.flatMap(exitsOf),
      ),
      counter(
        'appengine_cpu_seconds_total',
        'CPU time of instances, from their control groups.',
        all.map(([labels, { endedCpuMicros }]) => ({
          labels,
          value: (endedCpuMicros + sumOf(labels, ({ cpuMicros = 0 }) => cpuMicros)) / MICROS_PER_SECOND,
        })),
      ),
      gauge(
        'appengine_memory_bytes',
        'Memory of instances now.',
        all.map(([labels]) => ({ labels, value: sumOf(labels, ({ memoryBytes = 0 }) => memoryBytes) })),
      ),
      ...memoryFamilies(await this.#host.capacity()),
    ];
  }

  #onChange(view: InstanceView): void {
    const series = this.#series.of(view, this.#clock.monotonicMs());
    let known = this.#known.get(view.id);
    if (!known) {
      this.#known.set(view.id, (known = { wasReady: false }));
      series.starts++;
    }
    if (view.state === 'ready') known.wasReady = true;
    if (view.state !== 'exited') return;
    this.#known.delete(view.id);
    const reason = reasonOf(view, known.wasReady);
    series.exits.set(reason, (series.exits.get(reason) ?? 0) + 1);
    series.endedCpuMicros += view.cpuMicros ?? 0;
  }
}

/** Of all instances together, the platform's own included; nothing where there is no budget. */
function memoryFamilies({ memory }: HostCapacity): MetricFamily[] {
  if (!memory) return [];
  const alone = (value: number): Sample[] => [{ labels: {}, value }];
  return [
    gauge('appengine_memory_budget_bytes', 'Memory that all instances together may take.', alone(memory.budgetBytes)),
    gauge('appengine_memory_committed_bytes', 'Memory that they use, and what is kept free for them.', alone(memory.committedBytes)),
  ];
}

function reasonOf({ exit }: InstanceView, wasReady: boolean): string {
  if (!wasReady) return 'start_failed';
  if (exit?.reason.includes('memory')) return 'out_of_memory';
  return exit?.code === 0 || exit?.signal === 'SIGTERM' ? 'stopped' : 'died';
}

function isOf(view: InstanceView, { app, service, version }: Labels): boolean {
  return view.appId === app && view.service === service && view.version === version;
}

function exitsOf([labels, { exits }]: readonly [Labels, InstanceSeries]): Sample[] {
  return [...exits].map(([reason, value]) => ({ labels: { ...labels, reason }, value }));
}
