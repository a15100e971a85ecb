// A log as it grows: read once, or followed for as long as the page is open.
import { useCallback, useEffect, useRef, useState } from 'react';
import { type LogRow } from '../../../sdk/contract/admin/logs.ts';
import { after } from '../support/browser-clock.ts';
import { ApiFailure } from './api-client.ts';
import { useApi } from './resource.tsx';

/** Rows that the page holds; older ones go as new ones come, so a page left open does not fill the browser's memory. */
export const LOG_ROWS_MAX = 5_000;
const RECONNECT_MS = 2_000;

export interface NumberedRow {
  /** Ascending, never reused: names the row while others come and go. */
  readonly number: number;
  readonly row: LogRow;
}

export interface LogTail {
  /** Oldest first. */
  readonly rows: readonly NumberedRow[];
  readonly state: 'connecting' | 'open' | 'ended';
  readonly failure: ApiFailure | undefined;
  /** Rows that came while it is paused. */
  readonly heldBack: number;
}

interface TailOptions {
  readonly isFollowed: boolean;
  /** New rows wait until it is false again. */
  readonly isPaused: boolean;
}

/** Rows of `path`, from the start again whenever that changes or the connection broke. */
export function useLogTail(path: string, { isFollowed, isPaused }: TailOptions): LogTail {
  const api = useApi();
  const [tail, setTail] = useState<LogTail>({ rows: [], state: 'connecting', failure: undefined, heldBack: 0 });
  const waiting = useRef<NumberedRow[]>([]);
  const paused = useRef(isPaused);
  const frame = useRef(0);

  /** Shows what came since the last frame: a busy log renders once a frame, not once a row. */
  const show = useCallback((): void => {
    frame.current = 0;
    if (paused.current) {
      const heldBack = Math.min(waiting.current.length, LOG_ROWS_MAX);
      setTail((before) => (before.heldBack === heldBack ? before : { ...before, heldBack }));
      return;
    }
    const came = waiting.current;
    waiting.current = [];
    setTail((before) => ({
      ...before,
      heldBack: 0,
      rows: came.length === 0 ? before.rows : [...before.rows, ...came].slice(-LOG_ROWS_MAX),
    }));
  }, []);

  useEffect(() => {
    paused.current = isPaused;
    show();
  }, [isPaused, show]);

  useEffect(() => {
    const abort = new AbortController();
    const { signal } = abort;
    let number = 0;
    let cancelReconnect: (() => void) | undefined;

    async function read(): Promise<void> {
      waiting.current = [];
      setTail({ rows: [], state: 'connecting', failure: undefined, heldBack: 0 });
      try {
        for await (const row of api.lines<LogRow>(path, { signal })) {
          waiting.current.push({ number: (number += 1), row });
          // Cut now and then rather than at each row, and never below what the page can hold.
          if (waiting.current.length >= 2 * LOG_ROWS_MAX) waiting.current.splice(0, LOG_ROWS_MAX);
          frame.current ||= requestAnimationFrame(show);
        }
        if (!signal.aborted) ended(undefined);
      } catch (error) {
        if (!signal.aborted) ended(error instanceof ApiFailure ? error : undefined);
      }
    }

    function ended(failure: ApiFailure | undefined): void {
      show();
      setTail((before) => ({ ...before, state: 'ended', failure }));
      const isHopeless = failure !== undefined && failure.status >= 400 && failure.status < 500;
      if (isFollowed && !isHopeless) cancelReconnect = after(RECONNECT_MS, () => void read());
    }

    void read();
    const opened = after(300, () => setTail((before) => (before.state === 'connecting' ? { ...before, state: 'open' } : before)));
    return () => {
      abort.abort();
      cancelReconnect?.();
      opened();
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, [api, path, isFollowed, show]);

  return tail;
}
