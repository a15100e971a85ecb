// Which time the state of a snapshot is of: the one whose later reads (historic-reads.ts) see exactly what this one sees.
//
// Commits take effect in the order of their versions, so a state holds all up to one version and none behind it; only which one is
// not known of those that were being written when the snapshot was taken. What a commit has written tells: one look for each
// batch that was under way, and only when somebody asks.
import { assert } from '../../sdk/support/assert.ts';
import { decodeEntityRow } from '../codec/entity-row.ts';
import { FAMILY } from '../codec/row-key.ts';
import { rowKeyOf } from '../history/history-row.ts';
import { type RowChange } from '../tablet/tablet-map.ts';

/** A commit between its submission and its acknowledgement. */
export interface CommitUnderWay {
  readonly appId: string;
  readonly version: bigint;
  readonly changes: readonly RowChange[];
  /** Since its batch is being written, so that a snapshot may show it; the members of a batch appear at once. */
  batch?: number;
}

/** Reads one row of the state, without any other effect. */
export type Peek = (key: Buffer) => Promise<Buffer | undefined>;

export class ReadMoment {
  readonly #present: () => bigint;
  readonly #onFixed: (moment: ReadMoment) => void;
  /** In the order of their versions. */
  #doubtful: CommitUnderWay[];
  #latest: bigint | undefined;
  #readTime: Promise<bigint> | undefined;

  /**
   * Of a snapshot taken in this turn, which may not hold `underWay`. `present` is the time of a state that holds all commits so far;
   * `onFixed` is called once, when later commits need not be noted any more.
   */
  constructor(underWay: readonly CommitUnderWay[], present: () => bigint, onFixed: (moment: ReadMoment) => void) {
    this.#doubtful = [...underWay];
    this.#present = present;
    this.#onFixed = onFixed;
  }

  /** A commit of the app was submitted before the state was fixed. */
  note(commit: CommitUnderWay): void {
    this.#doubtful.push(commit);
  }

  /** To be called when the state is fixed (StoreSnapshot.pinned), or is not needed any more; again without harm. */
  fix(): void {
    if (this.#latest !== undefined) return;
    // What a commit is later must not count.
    this.#doubtful = this.#doubtful.map((commit) => ({ ...commit }));
    this.#latest = this.#present();
    this.#onFixed(this);
  }

  /** In microseconds, found out once. The moment must be fixed, and `peek` must read its state. */
  readTime(peek: Peek): Promise<bigint> {
    this.#readTime ??= this.#find(peek);
    return this.#readTime;
  }

  /** From the newest on: where one is there, so are all before it, or they failed. */
  async #find(peek: Peek): Promise<bigint> {
    assert(this.#latest !== undefined, 'a moment is asked for when it is fixed');
    const absent = new Set<number>();
    let next: CommitUnderWay | undefined;
    for (const commit of this.#doubtful.reverse()) {
      const { batch, version } = commit;
      const trace = batch === undefined || absent.has(batch) ? undefined : traceOf(commit);
      if (trace && batch !== undefined) {
        if (await isThere(trace, version, peek)) break;
        absent.add(batch);
      }
      next = commit;
    }
    return next ? next.version - 1n : this.#latest;
  }
}

/**
 * A row that shows whether the commit took effect: an entity that it put, or the history of one that it deleted. Nothing else can
 * have changed it since: commits on one entity follow each other. None for a commit that has changed no entity.
 */
function traceOf({ changes }: CommitUnderWay): RowChange | undefined {
  return (
    changes.find((change) => change.key[0] === FAMILY.entity && change.valueBytes !== undefined && !isRewritten(change)) ??
    changes.find(({ key }) => key[0] === FAMILY.history && rowKeyOf(key)[0] === FAMILY.entity)
  );
}

/** As it was: the row of an entity that was written with what it had already. */
function isRewritten({ rows, superseded }: RowChange): boolean {
  return rows === 0 && superseded === undefined;
}

async function isThere({ key }: RowChange, version: bigint, peek: Peek): Promise<boolean> {
  const row = await peek(key);
  if (!row) return false;
  return key[0] !== FAMILY.entity || decodeEntityRow(row).version >= version;
}
