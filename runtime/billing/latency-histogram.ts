// Latencies as counts in buckets that grow by a quarter of a doubling: any quantile is off by at most 9 %, in 20 bytes a bucket.

const BUCKETS_PER_DOUBLING = 4;
/** 1/16 ms and less. */
const LOWEST_DOUBLING = -4;
/** Ten minutes are 2^19.2 ms. */
const HIGHEST_DOUBLING = 24;
export const LATENCY_BUCKETS = (HIGHEST_DOUBLING - LOWEST_DOUBLING) * BUCKETS_PER_DOUBLING;

export function latencyBucket(latencyMs: number): number {
  const bucket = Math.floor((Math.log2(latencyMs) - LOWEST_DOUBLING) * BUCKETS_PER_DOUBLING);
  return Math.min(LATENCY_BUCKETS - 1, Math.max(0, Number.isNaN(bucket) ? 0 : bucket));
}

/** The middle of the bucket in which the `fraction` quantile lies; undefined without counts. */
export function latencyQuantile(counts: ReadonlyMap<number, number>, fraction: number): number | undefined {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let before = 0;
  for (const [bucket, count] of [...counts].sort(([one], [other]) => one - other)) {
    before += count;
    if (before >= fraction * total) return 2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING + LOWEST_DOUBLING);
  }
  return undefined;
}
