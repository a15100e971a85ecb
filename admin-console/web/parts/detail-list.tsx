import { type ReactElement, type ReactNode } from 'react';

export type Detail = readonly [title: string, value: ReactNode];

/** Names and their values, one under the other. */
export function DetailList({ details }: { readonly details: readonly Detail[] }): ReactElement {
  return (
    <dl className="details">
      {details.map(([title, value]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd className="breaks">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
