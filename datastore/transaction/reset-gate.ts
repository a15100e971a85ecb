// Keeps calls about some apps out while their data is wiped: they wait, and see the state after it.
//
// States: open → closed → open | broken (a wipe came to nothing halfway) → closed. While it is broken these apps' calls fail.
//
// Whoever asks does so in the turn in which it takes its snapshot or submits its commit, so nothing slips through in between. What
// was let in before is waited for by the wipe: reads as `readBegins` tells of them, commits as CommitsUnderWay does.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { CommitsUnderWay } from '../tablet/commits-under-way.ts';

interface Closed {
  readonly isShutOut: (appId: string) => boolean;
  readonly opened: Promise<void>;
  readonly open: () => void;
}

export class ResetGate {
  readonly #reads = new CommitsUnderWay();
  #closed: Closed | undefined;
  #broken: ((appId: string) => boolean) | undefined;

  /** Until `open` or `breakDown`; returns who is shut out, those of a broken wipe among them. One wipe at a time. */
  close(isWiped: (appId: string) => boolean): (appId: string) => boolean {
    const broken = this.#broken;
    this.#broken = undefined;
    const isShutOut = broken ? (appId: string): boolean => broken(appId) || isWiped(appId) : isWiped;
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    this.#closed = { isShutOut, opened, open };
    return isShutOut;
  }

  open(): void {
    const closed = this.#closed;
    this.#closed = undefined;
    closed?.open();
  }

  /** From now on the calls that would have waited fail, until another wipe has been successful. */
  breakDown(): void {
    this.#broken = this.#closed?.isShutOut;
    this.open();
  }

  /** What to wait for before a call about the app goes on, to ask again afterwards; undefined where it may. Throws DS_CLOSED. */
  closedFor(appId: string): Promise<void> | undefined {
    if (this.#broken?.(appId)) throw new PlatformError('DS_CLOSED', 'a reset could not be finished: reset again, or start anew');
    return this.#closed?.isShutOut(appId) ? this.#closed.opened : undefined;
  }

  /** Call it in the turn in which `closedFor` said yes, and what it returns when the read is over. */
  readBegins(): () => void {
    return this.#reads.begin();
  }

  /** Resolves when the reads that have begun are over. */
  readsEnded(): Promise<unknown> {
    return this.#reads.settled();
  }
}
