// How much work waits in the push queues that are in use.
import { gauge, type MetricFamily, type MetricSource } from './metric-family.ts';

export interface QueueDepth {
  readonly appId: string;
  readonly queue: string;
  readonly tasks: number;
  readonly running: number;
}

export class QueueMetrics implements MetricSource {
  readonly #depths: () => readonly QueueDepth[];

  constructor(depths: () => readonly QueueDepth[]) {
    this.#depths = depths;
  }

  collect(): MetricFamily[] {
    const depths = this.#depths();
    const of = (name: string, help: string, value: (depth: QueueDepth) => number): MetricFamily =>
      gauge(
        name,
        help,
        depths.map((depth) => ({ labels: { app: depth.appId, queue: depth.queue }, value: value(depth) })),
      );
    return [
      of('appengine_queue_tasks', 'Tasks in a push queue, those under way among them.', ({ tasks }) => tasks),
      of('appengine_queue_running', 'Tasks of a push queue that are under way.', ({ running }) => running),
    ];
  }
}
