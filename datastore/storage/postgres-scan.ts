// Walks the keys of a range through the tree of nodes (postgres-place.ts), a chunk for each statement, each going on behind
// the last key of the one before.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { keyAfter } from './key-bytes.ts';
import { type KeyRange, type Row, type RowScan, type ScanOptions } from './port.ts';
import { nodeOf, ROOT, SEGMENT_BYTES, TOP } from './postgres-place.ts';
import { type NodeEntry, type NodeRange, readEntries } from './postgres-reader.ts';
import { type Client } from './postgres-server.ts';

/** Runs statements where the rows are to be read from. */
export type RunReads = <T>(action: (client: Client) => Promise<T>) => Promise<T>;

const CHUNK_BYTES_MAX = 1024 * 1024;
const CHUNK_ROWS_MAX = 1_000;

/** A node that the walk is in. */
interface Step {
  /** The segments that lead here. */
  readonly prefix: Buffer;
  range: NodeRange;
  /** Read, and not yet returned. */
  entries: readonly NodeEntry[];
  at: number;
  isRead: boolean;
}

export class PostgresScan implements RowScan {
  readonly #run: RunReads;
  readonly #range: KeyRange;
  readonly #direction: 'forward' | 'backward';
  readonly #keysOnly: boolean;
  readonly #way: Step[];
  #left: number;
  #isClosed = false;

  constructor(run: RunReads, range: KeyRange, { direction = 'forward', keysOnly = false, limit = Infinity }: ScanOptions) {
    this.#run = run;
    this.#range = range;
    this.#direction = direction;
    this.#keysOnly = keysOnly;
    this.#left = limit;
    this.#way = [this.#step(ROOT)];
  }

  async next(rowsMax: number): Promise<readonly Row[]> {
    if (this.#isClosed) throw new PlatformError('DS_CLOSED', 'the scan is closed');
    const wanted = Math.min(rowsMax, this.#left, CHUNK_ROWS_MAX);
    const rows: Row[] = [];
    let bytes = 0;
    for (let step = this.#way.at(-1); step && rows.length < wanted && bytes < CHUNK_BYTES_MAX; step = this.#way.at(-1)) {
      const entry = step.entries[step.at++];
      if (!entry) {
        if (step.isRead) this.#way.pop();
        else await this.#read(step, wanted - rows.length, CHUNK_BYTES_MAX - bytes);
      } else if (entry.value === null) {
        this.#way.push(this.#step(Buffer.concat([step.prefix, entry.rest])));
      } else {
        rows.push({ key: step.prefix.length === 0 ? entry.rest : Buffer.concat([step.prefix, entry.rest]), value: entry.value });
        bytes += entry.value.length;
      }
    }
    this.#left -= rows.length;
    return rows;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  async #read(step: Step, entriesMax: number, bytesMax: number): Promise<void> {
    const { entries, isEnd } = await this.#run((client) => readEntries(client, step.range, entriesMax, bytesMax));
    step.entries = entries;
    step.at = 0;
    step.isRead = isEnd || entries.length === 0;
    const last = entries.at(-1);
    if (last) step.range = { ...step.range, ...(this.#direction === 'forward' ? { from: keyAfter(last.rest) } : { to: last.rest }) };
  }

  /** The part of the range that lies in the node of `prefix`, which has one. */
  #step(prefix: Buffer): Step {
    const from = below(this.#range.from, prefix) ?? ROOT;
    const to = below(this.#range.to, prefix) ?? TOP;
    return {
      prefix,
      range: {
        node: nodeOf(prefix),
        // The marker above a longer bound is a prefix of it. No rest is between the two.
        from: from.subarray(0, SEGMENT_BYTES),
        to: to.subarray(0, SEGMENT_BYTES + 1),
        direction: this.#direction,
        keysOnly: this.#keysOnly,
      },
      entries: [],
      at: 0,
      isRead: false,
    };
  }
}

/** A bound as the node of `prefix` sees it; undefined when it does not run through the node. */
function below(bound: Buffer, prefix: Buffer): Buffer | undefined {
  return bound.subarray(0, prefix.length).equals(prefix) ? bound.subarray(prefix.length) : undefined;
}
