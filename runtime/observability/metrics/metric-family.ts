// Metrics as plain data: what one role counts, on its way to the text that Prometheus reads. Plain, because it crosses a
// process border, and because the counting itself (histogram.ts and its users) is too hot for a library's label look-ups.
import { z } from 'zod';

const labels = z.record(z.string(), z.string());
const number = z.number();

export const metricFamilySchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.enum(['counter', 'gauge']),
    name: z.string(),
    help: z.string(),
    samples: z.array(z.object({ labels, value: number })),
  }),
  z.object({
    kind: z.literal('histogram'),
    name: z.string(),
    help: z.string(),
    /** Upper bounds, ascending, without the infinite one. */
    bounds: z.array(number),
    /** `counts` has one more: observations above the bound before and up to this one. */
    samples: z.array(z.object({ labels, counts: z.array(number), sum: number })),
  }),
]);

export type MetricFamily = z.infer<typeof metricFamilySchema>;
export type Labels = Readonly<Record<string, string>>;
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export function counter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { kind: 'counter', name, help, samples: [...samples] };
}

export function gauge(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { kind: 'gauge', name, help, samples: [...samples] };
}

/** What each role offers to be asked for. */
export interface MetricSource {
  collect(): readonly MetricFamily[] | Promise<readonly MetricFamily[]>;
}
