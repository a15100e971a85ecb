// The three scaling elements of app.yaml. Names, ranges and defaults: App Engine's app.yaml reference, second generation.
import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { idleTimeoutMs, pendingLatencyMs } from './duration.ts';
import { type AutomaticScaling, type Scaling } from './manifest.ts';
import { field, fraction, wholeNumber } from './manifest-fields.ts';

const LATENCY = '"automatic", or a time such as "30ms" or "0.5s"';
const IDLE_TIMEOUT = 'a time such as "30s" or "10m"';
const IDLE_TIMEOUT_MS_DEFAULT = 300_000;
/** App Engine accepts up to 2147483647 and 0 for "no bound"; what the platform can do is less. */
const INSTANCES_WRITTEN_MAX = 2_147_483_647;

const idleInstances = field('a whole number up to 1000, or "automatic"', (value) => {
  if (value === 'automatic') return 'automatic' as const;
  return /^\d{1,4}$/.test(value) && Number(value) <= 1_000 ? Number(value) : undefined;
});

const latency = field(LATENCY, pendingLatencyMs);

const automaticScaling = z
  .strictObject(
    {
      min_instances: wholeNumber(0, 1_000).optional(),
      max_instances: wholeNumber(0, INSTANCES_WRITTEN_MAX).optional(),
      min_idle_instances: idleInstances.optional(),
      max_idle_instances: idleInstances.optional(),
      max_concurrent_requests: wholeNumber(1, 1_000).optional(),
      target_cpu_utilization: fraction(0.5, 0.95).optional(),
      target_throughput_utilization: fraction(0.5, 0.95).optional(),
      min_pending_latency: latency.optional(),
      max_pending_latency: latency.optional(),
    },
    { error: 'must be a mapping such as "max_instances: 5"' },
  )
  .superRefine((value, context) => {
    const problem = (name: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [name], message });
    };
    const max = Math.min(value.max_instances === 0 ? Infinity : (value.max_instances ?? Infinity), LIMITS.instancesPerVersionMax);
    for (const name of ['min_instances', 'min_idle_instances'] as const) {
      const written = value[name];
      if (typeof written === 'number' && written > max) problem(name, `is ${written}, and this version may have at most ${max} instances`);
    }
    const { min_idle_instances: minIdle, max_idle_instances: maxIdle } = value;
    if (typeof minIdle === 'number' && typeof maxIdle === 'number' && minIdle > maxIdle) {
      problem('min_idle_instances', `is ${minIdle}, more than max_idle_instances (${maxIdle})`);
    }
    if (maxIdle === 0) problem('max_idle_instances', 'must be at least 1, or "automatic"');
    const { min_pending_latency: minPending, max_pending_latency: maxPending } = value;
    if (typeof minPending === 'number' && typeof maxPending === 'number' && minPending > maxPending) {
      problem('min_pending_latency', 'is longer than max_pending_latency');
    }
  });

const basicScaling = z.strictObject(
  {
    max_instances: wholeNumber(1, INSTANCES_WRITTEN_MAX),
    idle_timeout: field(IDLE_TIMEOUT, idleTimeoutMs).default(IDLE_TIMEOUT_MS_DEFAULT),
  },
  { error: 'must be a mapping such as "max_instances: 5"' },
);

const manualScaling = z.strictObject(
  { instances: wholeNumber(1, LIMITS.instancesPerVersionMax) },
  { error: 'must be a mapping such as "instances: 2"' },
);

/** Of each at most one may stand in a file: `scalingProblem`. */
export const scalingElements = {
  automatic_scaling: automaticScaling.optional(),
  basic_scaling: basicScaling.optional(),
  manual_scaling: manualScaling.optional(),
};

export type ScalingYaml = z.infer<z.ZodObject<typeof scalingElements>>;

export type ScalingElement = keyof typeof scalingElements;
export const SCALING_ELEMENTS: Readonly<Record<ScalingElement, readonly string[]>> = {
  automatic_scaling: Object.keys(automaticScaling.shape),
  basic_scaling: Object.keys(basicScaling.shape),
  manual_scaling: Object.keys(manualScaling.shape),
};

export function isScalingElement(name: unknown): name is ScalingElement {
  return typeof name === 'string' && Object.hasOwn(scalingElements, name);
}

/** The scaling element that stands beside another, which only one may. */
export function surplusScaling(yaml: ScalingYaml): ScalingElement | undefined {
  const written = (['automatic_scaling', 'basic_scaling', 'manual_scaling'] as const).filter((name) => yaml[name] !== undefined);
  return written.length > 1 ? written.at(-1) : undefined;
}

/** With App Engine's defaults filled in; a file without any scales automatically. */
export function scalingOf({ automatic_scaling: automatic, basic_scaling: basic, manual_scaling: manual }: ScalingYaml): Scaling {
  if (manual) return { kind: 'manual', instances: manual.instances };
  if (basic) {
    return { kind: 'basic', maxInstances: Math.min(basic.max_instances, LIMITS.instancesPerVersionMax), idleTimeoutMs: basic.idle_timeout };
  }
  return automaticOf(automatic ?? {});
}

function automaticOf(yaml: z.infer<typeof automaticScaling>): AutomaticScaling {
  const written = yaml.max_instances === undefined || yaml.max_instances === 0 ? Infinity : yaml.max_instances;
  return {
    kind: 'automatic',
    minInstances: yaml.min_instances ?? 0,
    maxInstances: Math.min(written, LIMITS.instancesPerVersionMax),
    minIdleInstances: typeof yaml.min_idle_instances === 'number' ? yaml.min_idle_instances : 0,
    ...(typeof yaml.max_idle_instances === 'number' ? { maxIdleInstances: yaml.max_idle_instances } : {}),
    maxConcurrentRequests: yaml.max_concurrent_requests ?? 10,
    targetThroughputUtilization: yaml.target_throughput_utilization ?? 0.6,
    targetCpuUtilization: yaml.target_cpu_utilization ?? 0.6,
    ...(typeof yaml.min_pending_latency === 'number' ? { minPendingLatencyMs: yaml.min_pending_latency } : {}),
    ...(typeof yaml.max_pending_latency === 'number' ? { maxPendingLatencyMs: yaml.max_pending_latency } : {}),
  };
}
