import { type ReactElement } from 'react';

export type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'quiet';

/** A state in a word, never by colour alone. */
export function StateBadge({ tone, children }: { readonly tone: Tone; readonly children: string }): ReactElement {
  return (
    <span className="state-badge" data-tone={tone}>
      {children}
    </span>
  );
}
