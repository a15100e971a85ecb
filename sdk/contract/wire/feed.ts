// A feed: a streaming method that first says how things are and then each change, followed across restarts of its server.
import { sleep, type Timers } from '../../support/clock.ts';
import { type Rpc } from './client.ts';

export interface Feed {
  readonly service: string;
  readonly method: string;
}

export interface FeedFollower {
  /** A stream begins: what comes now is the whole truth. */
  readonly onBegin?: () => void;
  readonly onEvent: (event: unknown) => void;
  /** The stream broke off; the next one is asked for in a moment. */
  readonly onBroken: (error: unknown) => void;
}

const AGAIN_MS = 200;

/** Asks for the feed, and again whenever it ends, until `signal` aborts. Never rejects. */
export async function followFeed(
  rpc: Rpc,
  { service, method }: Feed,
  { onBegin, onEvent, onBroken }: FeedFollower,
  timers: Timers,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    onBegin?.();
    try {
      await rpc.call(service, method, {}, { deadlineMs: 0, signal, onEvent });
    } catch (error) {
      if (isOver()) return;
      onBroken(error);
    }
    await sleep(timers, AGAIN_MS, { signal }).catch(() => undefined);
  }
}
