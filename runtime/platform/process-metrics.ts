import { type CloseStack } from '../../sdk/support/close-stack.ts';
import { ProcessMetrics } from '../observability/metrics/process-metrics.ts';
import { type PlatformWorld } from './settings.ts';

/** Of the process that a role runs in. */
export function startProcessMetrics({ clock, timers }: PlatformWorld, closing: CloseStack): ProcessMetrics {
  const metrics = new ProcessMetrics(clock, timers);
  metrics.start();
  closing.defer(() => {
    metrics.close();
  });
  return metrics;
}
