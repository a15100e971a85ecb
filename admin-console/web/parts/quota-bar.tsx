import { type ReactElement } from 'react';

/** How much of something is taken, 0 … 1. It says so in numbers elsewhere: the bar is not read aloud. */
export function QuotaBar({ share, tone }: { readonly share: number; readonly tone?: 'good' | 'warn' | 'bad' }): ReactElement {
  const percent = Math.max(0, Math.min(1, share)) * 100;
  return (
    <div className="bar" data-tone={tone ?? (share >= 1 ? 'bad' : share >= 0.8 ? 'warn' : 'good')} aria-hidden>
      <span style={{ width: `${percent > 0 ? Math.max(2, percent) : 0}%` }} />
    </div>
  );
}
