// Which version of a service a request goes to when traffic is split.
// A client's bucket (0–999) stays the same, so the same client keeps its version while the shares stay the same.
import { type ShardBy } from './ports.ts';

export interface SplitClient {
  /** Without port. */
  readonly address: string;
  /** The Cookie header. */
  readonly cookie: string | undefined;
  /** A number in [0, 1). */
  fraction(): number;
}

export interface SplitChoice {
  readonly version: string;
  /** The bucket to give to a client that has none yet. */
  readonly newBucket?: number;
}

export const SPLIT_COOKIE = 'GOOGAPPUID';
const BUCKETS = 1_000;

export class TrafficSplit {
  readonly #shardBy: ShardBy;
  /** Upper ends of the versions' shares, ascending; the last is 1. */
  readonly #ends: readonly (readonly [version: string, end: number])[];

  /** Shares of 0 or less count as none; the rest are scaled to add up to 1. */
  constructor(shares: Readonly<Record<string, number>>, shardBy: ShardBy) {
    this.#shardBy = shardBy;
    const positive = Object.entries(shares).filter(([, share]) => share > 0);
    // Sorted, so that the order in which shares were written moves nobody.
    positive.sort(([left], [right]) => (left < right ? -1 : 1));
    const total = positive.reduce((sum, [, share]) => sum + share, 0);
    let end = 0;
    this.#ends = positive.map(([version, share]) => {
      end += share / total;
      return [version, end];
    });
  }

  /** The only version when there is just one; no client needs a bucket then. */
  get only(): string | undefined {
    return this.#ends.length === 1 ? this.#ends[0]?.[0] : undefined;
  }

  /** Undefined when nothing serves. */
  choose(client: SplitClient): SplitChoice | undefined {
    const { only } = this;
    if (only !== undefined) return { version: only };
    if (this.#ends.length === 0) return undefined;
    switch (this.#shardBy) {
      case 'ip':
        return { version: this.#versionAt(addressBucket(client.address) / BUCKETS) };
      case 'random':
        return { version: this.#versionAt(client.fraction()) };
      case 'cookie': {
        const known = cookieBucket(client.cookie);
        if (known !== undefined) return { version: this.#versionAt(known / BUCKETS) };
        const newBucket = Math.floor(client.fraction() * BUCKETS);
        return { version: this.#versionAt(newBucket / BUCKETS), newBucket };
      }
    }
  }

  #versionAt(place: number): string {
    // Shares that add up to 0.9999… must not leave the last sliver to nobody.
    const found = this.#ends.find(([, end]) => place < end) ?? this.#ends.at(-1);
    return found?.[0] ?? '';
  }
}

function cookieBucket(cookie: string | undefined): number | undefined {
  const found = cookie === undefined ? null : /(?:^|;)\s*GOOGAPPUID=(\d{1,3})\s*(?:;|$)/.exec(cookie);
  return found ? Number(found[1]) : undefined;
}

/** FNV-1a with murmur3's finish, since neighbouring addresses differ in one character. */
function addressBucket(address: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < address.length; index++) hash = Math.imul(hash ^ address.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % BUCKETS;
}
