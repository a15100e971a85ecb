// YCSB's core workloads A to F as data, and the operations that they are made of.
import { type Random } from '../../../sdk/support/clock.ts';
import { type KeyChoice, Latest, ScrambledZipfian, scatter } from './key-choice.ts';

export type OperationName = 'read' | 'update' | 'insert' | 'scan' | 'read-modify-write';

export interface Workload {
  readonly name: string;
  readonly story: string;
  /** Shares of operations, which add up to 1. */
  readonly mix: Readonly<Partial<Record<OperationName, number>>>;
  readonly choice: (random: Random) => KeyChoice;
}

const zipfian = (random: Random): KeyChoice => new ScrambledZipfian(random);

/** In YCSB's order of runs: what inserts comes last. */
export const WORKLOADS: readonly Workload[] = [
  { name: 'A', story: 'session store', mix: { read: 0.5, update: 0.5 }, choice: zipfian },
  { name: 'B', story: 'photo tags', mix: { read: 0.95, update: 0.05 }, choice: zipfian },
  { name: 'C', story: 'profile cache', mix: { read: 1 }, choice: zipfian },
  { name: 'F', story: 'user records', mix: { read: 0.5, 'read-modify-write': 0.5 }, choice: zipfian },
  { name: 'D', story: 'status updates', mix: { read: 0.95, insert: 0.05 }, choice: (random) => new Latest(random) },
  { name: 'E', story: 'threads', mix: { scan: 0.95, insert: 0.05 }, choice: zipfian },
];

const SCAN_ROWS_MAX = 100;
const FIELDS = 10;
const FIELD_BYTES = 100;

/** A store of records of ten fields of 100 bytes. */
export interface RecordStore {
  read(key: string): Promise<void>;
  /** Of one field; the others are as they were made. */
  update(key: string, fields: Readonly<Record<string, string>>): Promise<void>;
  insert(key: string, fields: Readonly<Record<string, string>>): Promise<void>;
  /** So many records from `key` on. */
  scan(key: string, count: number): Promise<void>;
  readModifyWrite(key: string, fields: Readonly<Record<string, string>>): Promise<void>;
}

export class WorkloadRun {
  readonly #workload: Workload;
  readonly #store: RecordStore;
  readonly #random: Random;
  readonly #choice: KeyChoice;
  #records: number;
  /** Below it, every record is there: an insert under way is not chosen. */
  #present: number;
  readonly #inserted = new Set<number>();

  constructor(workload: Workload, store: RecordStore, records: number, random: Random) {
    this.#workload = workload;
    this.#store = store;
    this.#random = random;
    this.#choice = workload.choice(random);
    this.#records = records;
    this.#present = records;
  }

  /** Records that there are. */
  get records(): number {
    return this.#present;
  }

  /** Does the next operation and names it. */
  async next(): Promise<OperationName> {
    const name = this.#chooseOperation();
    if (name === 'insert') {
      await this.#insert();
      return name;
    }
    const key = keyOf(this.#choice.next(this.#present));
    if (name === 'read') await this.#store.read(key);
    else if (name === 'scan') await this.#store.scan(key, 1 + Math.floor(this.#random.fraction() * SCAN_ROWS_MAX));
    else if (name === 'update') await this.#store.update(key, this.#changed());
    else await this.#store.readModifyWrite(key, this.#changed());
    return name;
  }

  async #insert(): Promise<void> {
    const record = this.#records++;
    await this.#store.insert(keyOf(record), fieldsOf(this.#random));
    this.#inserted.add(record);
    while (this.#inserted.delete(this.#present)) this.#present++;
  }

  #changed(): Readonly<Record<string, string>> {
    const fields = fieldsOf(this.#random);
    return { ...fields, [`field${Math.floor(this.#random.fraction() * FIELDS)}`]: fieldText(this.#random) };
  }

  #chooseOperation(): OperationName {
    let left = this.#random.fraction();
    for (const [name, share] of Object.entries(this.#workload.mix) as [OperationName, number][]) {
      left -= share;
      if (left < 0) return name;
    }
    return 'read';
  }
}

/** In an order that says nothing of the record's number, as YCSB inserts by default. */
export function keyOf(record: number): string {
  return `user${String(scatter(record)).padStart(20, '0')}`;
}

export function fieldsOf(random: Random): Readonly<Record<string, string>> {
  const base = fieldText(random);
  return Object.fromEntries(Array.from({ length: FIELDS }, (_, at) => [`field${at}`, base.slice(at) + base.slice(0, at)]));
}

function fieldText(random: Random): string {
  let text = '';
  while (text.length < FIELD_BYTES) text += Math.floor(random.fraction() * 2 ** 48).toString(36);
  return text.slice(0, FIELD_BYTES);
}
