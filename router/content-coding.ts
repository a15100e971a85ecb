// Which compressed form of a file a client gets: Accept-Encoding (RFC 9110, section 12.5.3) as a pure decision.

export type ContentCoding = 'br' | 'gzip';

/** In the order in which they are preferred when the client likes several as much. */
const CODINGS: readonly ContentCoding[] = ['br', 'gzip'];
const PART = /^\s*([a-z0-9*-]{1,20})\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?$/i;

/**
 * The best of `available` that the client accepts; undefined for the file as it is: also where the client refuses that,
 * since it is better than nothing.
 */
export function chooseCoding(
  accepted: string | readonly string[] | undefined,
  available: Partial<Record<ContentCoding, unknown>>,
): ContentCoding | undefined {
  if (typeof accepted !== 'string') return undefined;
  const weights = readWeights(accepted);
  const any = weights.get('*') ?? 0;
  // Unless the client names it, the plain file is what it likes least of what it accepts.
  let best = weights.get('identity') ?? 0;
  let choice: ContentCoding | undefined;
  for (const coding of CODINGS) {
    const weight = weights.get(coding) ?? any;
    if (available[coding] === undefined || weight <= 0) continue;
    if (weight > best || (weight === best && choice === undefined)) {
      best = weight;
      choice = coding;
    }
  }
  return choice;
}

function readWeights(accepted: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const part of accepted.split(',')) {
    const match = PART.exec(part);
    const name = match?.[1]?.toLowerCase();
    if (name === undefined) continue;
    weights.set(name === 'x-gzip' ? 'gzip' : name, Math.min(1, Number(match?.[2] ?? 1)));
  }
  return weights;
}
