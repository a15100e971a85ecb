// Families of metrics as Prometheus reads them: text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure.
import { type Labels, type MetricFamily } from './metric-family.ts';

/** Each family once, by name; what several roles count under one name stands together. */
export function metricsText(families: readonly MetricFamily[]): string {
  const byName = new Map<string, MetricFamily[]>();
  for (const family of families) byName.set(family.name, [...(byName.get(family.name) ?? []), family]);
  const lines: string[] = [];
  for (const name of [...byName.keys()].sort()) {
    const same = byName.get(name) ?? [];
    const samples = same.flatMap(sampleLines);
    const [first] = same;
    if (!first || samples.length === 0) continue;
    lines.push(`# HELP ${name} ${first.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${first.kind}`, ...samples);
  }
  return `${lines.join('\n')}\n`;
}

/** `families` with one more label each. */
export function labelled(families: readonly MetricFamily[], labels: Labels): MetricFamily[] {
  return families.map((family): MetricFamily => {
    if (family.kind !== 'histogram')
      return { ...family, samples: family.samples.map((sample) => ({ ...sample, labels: { ...sample.labels, ...labels } })) };
    return { ...family, samples: family.samples.map((sample) => ({ ...sample, labels: { ...sample.labels, ...labels } })) };
  });
}

function sampleLines(family: MetricFamily): string[] {
  const { name } = family;
  if (family.kind !== 'histogram') return family.samples.map(({ labels, value }) => `${name}${labelText(labels)} ${numberText(value)}`);
  return family.samples.flatMap(({ labels, counts, sum }) => {
    let total = 0;
    const buckets = counts.map((count, index) => {
      total += count;
      return `${name}_bucket${labelText({ ...labels, le: numberText(family.bounds[index] ?? Infinity) })} ${total}`;
    });
    return [...buckets, `${name}_sum${labelText(labels)} ${numberText(sum)}`, `${name}_count${labelText(labels)} ${total}`];
  });
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
