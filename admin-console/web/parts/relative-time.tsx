import { type ReactElement } from 'react';
import { useNowMs } from '../support/browser-clock.ts';
import { absoluteText, ageText, relativeText } from '../text/time-text.ts';

/** "3 min ago"; the exact moment on hover. */
export function RelativeTime({ atMs }: { readonly atMs: number }): ReactElement {
  return (
    <time className="nowrap" dateTime={new Date(atMs).toISOString()} title={absoluteText(atMs)}>
      {relativeText(atMs, useNowMs())}
    </time>
  );
}

/** How long ago: "3 min". */
export function Age({ sinceMs }: { readonly sinceMs: number }): ReactElement {
  return (
    <time className="nowrap" dateTime={new Date(sinceMs).toISOString()} title={`Since ${absoluteText(sinceMs)}`}>
      {ageText(Math.max(0, useNowMs() - sinceMs))}
    </time>
  );
}
