// The entities that a step of a backfill is about to index. A commit that changes one of them waits for the step's outcome,
// a few milliseconds: so it knows whether the entity has rows in the index, and the step is not lost to it.
//
// Closed by one step at a time. A commit looks at the gate in the turn in which it is submitted, so those that it let through
// come before the step in the order of commits, and the step, which reads what they write, is made again if it did not see them.
import { assert } from '../../sdk/support/assert.ts';

/** The entities whose kind rows lie behind `after` (absent: from the first), up to and with `upTo` (absent: to the last). */
export interface BackfillRange {
  readonly appId: string;
  /** Absent: of all kinds. */
  readonly kind?: string;
  readonly after?: Buffer;
  readonly upTo?: Buffer;
}

interface Closed {
  range: BackfillRange;
  readonly opened: Promise<void>;
  readonly open: () => void;
}

export class BackfillGate {
  #closed: Closed | undefined;

  /** Until `open`. Closing it again changes the range. */
  close(range: BackfillRange): void {
    if (this.#closed) {
      assert(this.#closed.range.appId === range.appId, 'one step closes the gate at a time');
      this.#closed.range = range;
      return;
    }
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    this.#closed = { range, opened, open };
  }

  /** Lets everybody through, twice without harm. */
  open(): void {
    const closed = this.#closed;
    this.#closed = undefined;
    closed?.open();
  }

  /** What to wait for before an entity may be changed, to ask again afterwards; undefined where the gate is open. */
  closedFor(appId: string, kind: string, kindRow: () => Buffer): Promise<void> | undefined {
    if (!this.#closed) return undefined;
    const { range, opened } = this.#closed;
    if (range.appId !== appId || (range.kind !== undefined && range.kind !== kind)) return undefined;
    const row = kindRow();
    const isBefore = range.after !== undefined && Buffer.compare(row, range.after) <= 0;
    const isBehind = range.upTo !== undefined && Buffer.compare(row, range.upTo) > 0;
    return isBefore || isBehind ? undefined : opened;
  }
}
