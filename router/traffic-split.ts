// Which version of a service a request goes to when traffic is split.
// A client's bucket (0–999) stays the same, so the same client keeps its version while that keeps the bucket.
import { BUCKETS, movedBuckets } from './bucket-runs.ts';
import { type BucketRun, type ShardBy } from './ports.ts';

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

/** As a Set-Cookie header: for a year, as App Engine's. */
export function splitCookie(bucket: number): string {
  return `${SPLIT_COOKIE}=${bucket}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax`;
}

export class TrafficSplit {
  readonly #shardBy: ShardBy;
  /** The only version when there is just one; no client needs a bucket then. */
  readonly #only: string | undefined;
  /** The version of each bucket; none when nothing serves. */
  readonly #versions: readonly string[];

  /**
   * Shares of 0 or less count as none; the rest are scaled to add up to 1. `before`: who has which buckets; versions keep
   * as many of theirs as their shares allow.
   */
  constructor(shares: Readonly<Record<string, number>>, shardBy: ShardBy, before: readonly BucketRun[] = []) {
    this.#shardBy = shardBy;
    const serving = Object.entries(shares).filter(([, share]) => share > 0);
    this.#only = serving.length === 1 ? serving[0]?.[0] : undefined;
    this.#versions =
      serving.length > 1 ? movedBuckets(before, shares).flatMap(([version, count]) => new Array<string>(count).fill(version)) : [];
  }

  /** Undefined when nothing serves. */
  choose(client: SplitClient): SplitChoice | undefined {
    if (this.#only !== undefined) return { version: this.#only };
    if (this.#versions.length === 0) return undefined;
    switch (this.#shardBy) {
      case 'ip':
        return { version: this.#versionAt(addressBucket(client.address)) };
      case 'random':
        return { version: this.#versionAt(Math.floor(client.fraction() * BUCKETS)) };
      case 'cookie': {
        const known = cookieBucket(client.cookie);
        if (known !== undefined) return { version: this.#versionAt(known) };
        const newBucket = Math.floor(client.fraction() * BUCKETS);
        return { version: this.#versionAt(newBucket), newBucket };
      }
    }
  }

  #versionAt(bucket: number): string {
    return this.#versions[bucket] ?? '';
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
