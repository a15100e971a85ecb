import { type Comparison, type ContenderFigures, share, shortfalls } from './comparison.ts';

const HEADER = [
  'trace',
  'scheduler',
  'p50 ms',
  'p90 ms',
  'p99 ms',
  'max ms',
  'errors',
  'cold requests',
  'starts',
  'instance-s',
  'peak',
  'settled s',
];
const TEXT_COLUMNS = 2;

/** One table of all traces, then what ours is not level in. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const rows = [
    HEADER,
    ...comparisons.flatMap(({ trace, contenders }) => contenders.map((figures, index) => rowOf(index === 0 ? trace : '', figures))),
  ];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column < TEXT_COLUMNS ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return [...lines, '', ...comparisons.flatMap(verdictOf)].join('\n');
}

function rowOf(trace: string, figures: ContenderFigures): string[] {
  const { name, p50Ms, p90Ms, p99Ms, maxMs, errors, coldRequests, requests, starts, instanceSeconds, instancesPeak, settledMs } = figures;
  const cold = `${coldRequests} (${share(coldRequests, requests)})`;
  const settled = settledMs === undefined ? '' : (settledMs / 1_000).toFixed(2);
  const latencies = [p50Ms, p90Ms, p99Ms, maxMs].map((latencyMs) => latencyMs.toFixed(0));
  return [trace, name, ...latencies, String(errors), cold, String(starts), instanceSeconds.toFixed(0), String(instancesPeak), settled];
}

function verdictOf(comparison: Comparison): readonly string[] {
  const short = shortfalls(comparison);
  if (short.length === 0) return [`${comparison.trace}: level or better on p99 and instance-seconds`];
  return short.map((line) => `${comparison.trace}: ${line}`);
}
