// The four ways in which app.yaml writes a time. Grammars: App Engine's app.yaml reference.

const EXPIRATION_PART = /^(\d{1,9})([dhms])$/i;
const SECONDS = { d: 86_400, h: 3_600, m: 60, s: 1 } as const;
const IDLE_TIMEOUT = /^(\d{1,9})(s|m)$/;
const LATENCY = /^(\d{1,9})(?:\.(\d{1,3}))?(s|ms)$/;

/** A year, as in HTTP's advice on freshness. */
const EXPIRATION_SECONDS_MAX = 365 * 86_400;

/** "4d 5h", "30m", or a bare number of seconds; undefined when it is none of these or more than a year. */
export function expirationSeconds(text: string): number | undefined {
  const parts = text.trim().split(/\s+/);
  const [only = ''] = parts;
  if (parts.length === 1 && /^\d{1,9}$/.test(only)) return bounded(Number(only));
  let seconds = 0;
  for (const part of parts) {
    const match = EXPIRATION_PART.exec(part);
    if (!match) return undefined;
    seconds += Number(match[1]) * SECONDS[(match[2] ?? 's').toLowerCase() as keyof typeof SECONDS];
  }
  return bounded(seconds);
}

function bounded(seconds: number): number | undefined {
  return seconds <= EXPIRATION_SECONDS_MAX ? seconds : undefined;
}

/** "30ms", "0.5s" in milliseconds, "automatic" as such; undefined when it is none of these. */
export function pendingLatencyMs(text: string): number | 'automatic' | undefined {
  if (text === 'automatic') return 'automatic';
  const match = LATENCY.exec(text);
  if (!match) return undefined;
  const [, whole = '', fraction = '', unit] = match;
  if (unit === 'ms') return fraction === '' ? Number(whole) : undefined;
  return Number(whole) * 1_000 + Number(fraction.padEnd(3, '0'));
}

/** "30s", "10m" in milliseconds; undefined when it is neither, nothing, or more than a year. */
export function idleTimeoutMs(text: string): number | undefined {
  const match = IDLE_TIMEOUT.exec(text);
  if (!match) return undefined;
  const seconds = bounded(Number(match[1]) * (match[2] === 'm' ? SECONDS.m : SECONDS.s));
  return seconds === undefined || seconds === 0 ? undefined : seconds * 1_000;
}
