// Zigzag merge join: several scans with places of one shape, of which only the common places are hits. Each scan in turn
// seeks to the greatest place seen so far; where all agree, there is a hit.
import { keyAfter } from '../storage/key-bytes.ts';
import { type Hit, type HitBatch, type HitSource, type Reading } from './hit-source.ts';
import { IndexScan } from './index-scan.ts';
import { type ScanPlan } from './plan.ts';

const CHUNK_MIN = 8;
const CHUNK_MAX = 256;

export class JoinScan implements HitSource {
  readonly #legs: readonly Leg[];
  readonly #reading: Reading;
  /** All places below are done. */
  #target: Buffer;
  #done = false;

  constructor(plans: readonly ScanPlan[], reading: Reading, from: Buffer) {
    this.#legs = plans.map((plan) => new Leg(new IndexScan(plan, reading, from)));
    this.#reading = reading;
    this.#target = from;
  }

  async next(want: number): Promise<HitBatch> {
    const hits: Hit[] = [];
    while (hits.length < want && !this.#done && !this.#reading.meter.isSpent) {
      const hit = await this.#agree();
      if (hit) hits.push(hit);
    }
    return { hits, reached: this.#target, done: this.#done };
  }

  async close(): Promise<void> {
    await Promise.all(this.#legs.map((leg) => leg.close()));
  }

  /** One round: the common hit at the target, or none and a greater target. */
  async #agree(): Promise<Hit | undefined> {
    let isOneOfMany = false;
    for (const leg of this.#legs) {
      const hit = leg.inBuffer(this.#target) ?? (await leg.seek(this.#target));
      if (!hit) {
        this.#done = true;
        return undefined;
      }
      isOneOfMany ||= hit.isOneOfMany;
      if (leg === this.#legs[0] || !hit.place.equals(this.#target)) {
        const isFirst = leg === this.#legs[0];
        this.#target = hit.place;
        if (!isFirst) return undefined;
      }
    }
    const place = this.#target;
    this.#target = keyAfter(place);
    return { place, isOneOfMany };
  }
}

/** One scan with what it has read ahead. */
class Leg {
  readonly #scan: IndexScan;
  #hits: readonly Hit[] = [];
  #at = 0;
  /** Grows while reading on pays off, falls back on every jump. */
  #chunk = CHUNK_MIN;

  constructor(scan: IndexScan) {
    this.#scan = scan;
  }

  /** The first hit not below `place`, if it has been read already. */
  inBuffer(place: Buffer): Hit | undefined {
    const last = this.#hits.at(-1);
    if (!last || Buffer.compare(last.place, place) < 0) return undefined;
    for (let hit = this.#hits[this.#at]; hit; hit = this.#hits[++this.#at]) {
      if (Buffer.compare(hit.place, place) >= 0) return hit;
    }
    return undefined;
  }

  /** The first hit not below `place`, or none. Reads the rows just behind first: often it is there. */
  async seek(place: Buffer): Promise<Hit | undefined> {
    const next = await this.#read();
    if (next === 'end') return undefined;
    const near = this.inBuffer(place);
    if (near) {
      this.#chunk = Math.min(this.#chunk * 2, CHUNK_MAX);
      return near;
    }
    this.#chunk = CHUNK_MIN;
    await this.#scan.seek(place);
    return (await this.#read()) === 'end' ? undefined : this.inBuffer(place);
  }

  close(): Promise<void> {
    return this.#scan.close();
  }

  async #read(): Promise<'rows' | 'end'> {
    for (;;) {
      const { hits, done } = await this.#scan.next(this.#chunk);
      this.#hits = hits;
      this.#at = 0;
      if (hits.length > 0) return 'rows';
      if (done) return 'end';
    }
  }
}
