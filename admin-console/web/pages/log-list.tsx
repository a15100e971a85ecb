// Log rows in a window: only those in sight are in the page, so that thousands cost no more than thirty.
// Arrow keys choose a row, Enter opens it.
import { type KeyboardEvent, type ReactElement, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { type NumberedRow } from '../api/log-tail.ts';
import { levelOf, logLineText } from '../text/log-level.ts';
import { durationText } from '../text/number-text.ts';
import { absoluteText, clockText } from '../text/time-text.ts';

const ROW_HEIGHT = 27;
const OVERSCAN_ROWS = 10;

interface LogListProps {
  readonly rows: readonly NumberedRow[];
  readonly onOpen: (row: NumberedRow) => void;
}

function Row({ row }: { readonly row: NumberedRow['row'] }): ReactElement {
  const level = levelOf(row);
  return (
    <>
      <time title={absoluteText(row.atMs)}>{clockText(row.atMs)}</time>
      <span className="log-state" data-level={level}>
        {row.kind === 'request' ? row.status : row.stream === 'system' ? 'sys' : row.stream === 'stderr' ? 'err' : 'out'}
      </span>
      <span className="log-place">{`${row.service}/${row.version}`}</span>
      <span className="log-text">{logLineText(row)}</span>
      <span className="log-latency">{row.kind === 'request' ? durationText(row.latencyMs) : ''}</span>
    </>
  );
}

export function LogList({ rows, onOpen }: LogListProps): ReactElement {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [active, setActive] = useState<number>();
  const sticks = useRef(true);

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setView((before) => ({ ...before, height: element.clientHeight })));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  // Who looks at the end goes on doing so as rows come; who has scrolled up stays.
  useLayoutEffect(() => {
    const element = box.current;
    if (element !== null && sticks.current) element.scrollTop = element.scrollHeight;
  }, [rows]);

  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - OVERSCAN_ROWS);
  const count = Math.ceil(view.height / ROW_HEIGHT) + 2 * OVERSCAN_ROWS;
  const shown = rows.slice(first, first + count);

  const reveal = (index: number): void => {
    const element = box.current;
    const target = rows[index];
    if (element === null || target === undefined) return;
    setActive(target.number);
    const top = index * ROW_HEIGHT;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + ROW_HEIGHT > element.scrollTop + element.clientHeight) element.scrollTop = top + ROW_HEIGHT - element.clientHeight;
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const at = rows.findIndex(({ number }) => number === active);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at < 0 ? rows.length - 1 : at - 1,
      Home: 0,
      End: rows.length - 1,
      PageDown: at + 15,
      PageUp: at - 15,
    };
    const to = steps[event.key];
    if (to !== undefined) {
      event.preventDefault();
      reveal(Math.min(rows.length - 1, Math.max(0, to)));
    } else if (event.key === 'Enter' && rows[at] !== undefined) {
      event.preventDefault();
      onOpen(rows[at]);
    }
  };

  return (
    <div
      ref={box}
      className="log-list"
      role="listbox"
      tabIndex={0}
      aria-label="Log rows. Arrow keys choose one, Enter opens it"
      aria-activedescendant={shown.some(({ number }) => number === active) ? `log-${active ?? ''}` : undefined}
      onKeyDown={onKeyDown}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        // Only a movement upwards leaves the end: rows that have just come also put it out of sight for a moment.
        if (scrollTop + clientHeight > scrollHeight - ROW_HEIGHT) sticks.current = true;
        else if (scrollTop < view.top) sticks.current = false;
        setView({ top: scrollTop, height: clientHeight });
      }}
    >
      <div role="presentation" style={{ height: first * ROW_HEIGHT }} />
      {shown.map((each, index) => (
        <div
          key={each.number}
          id={`log-${each.number}`}
          role="option"
          aria-selected={each.number === active}
          aria-posinset={first + index + 1}
          aria-setsize={rows.length}
          className="log-row"
          onClick={() => {
            setActive(each.number);
            onOpen(each);
          }}
        >
          <Row row={each.row} />
        </div>
      ))}
      <div role="presentation" style={{ height: Math.max(0, rows.length - first - shown.length) * ROW_HEIGHT }} />
    </div>
  );
}
