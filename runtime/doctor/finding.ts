// What `appengine doctor` found out about this machine, and how it says so. Pure.
// The folder looks at the machine and changes nothing of it. Read next: judgements.ts (what is good enough), examination.ts.
import pc from 'picocolors';

/** `missing`: `appengine serve` does not start, or apps would run without a sandbox. `warning`: it does, and less well. */
export type FindingState = 'ok' | 'warning' | 'missing';

export interface Finding {
  readonly name: string;
  readonly state: FindingState;
  /** What there is, for people. */
  readonly found: string;
  /** The command or the step that mends it; there unless it is ok. */
  readonly mend?: string;
}

export const ok = (name: string, found: string): Finding => ({ name, state: 'ok', found });
export const warning = (name: string, found: string, mend: string): Finding => ({ name, state: 'warning', found, mend });
export const missing = (name: string, found: string, mend: string): Finding => ({ name, state: 'missing', found, mend });

/** Whether `serve` has all that it needs. */
export function isFit(findings: readonly Finding[]): boolean {
  return findings.every(({ state }) => state !== 'missing');
}

export function renderFindings(findings: readonly Finding[], options: { readonly colour: boolean }): string {
  const colours = pc.createColors(options.colour);
  const paint = { ok: colours.green, warning: colours.yellow, missing: colours.red };
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ name, state, found, mend }) => [
    `${paint[state](state.padEnd(7))}  ${name.padEnd(width)}  ${found}`,
    ...(mend === undefined ? [] : [`${' '.repeat(9 + width)}  ${colours.dim('to mend it:')} ${mend}`]),
  ]);
  const counts = (['missing', 'warning'] as const).map(
    (state) => [findings.filter((finding) => finding.state === state).length, state] as const,
  );
  const [[lacking], [worse]] = counts as [readonly [number, string], readonly [number, string]];
  const last =
    lacking > 0
      ? `${lacking} missing: mend that first, or apps cannot be served as they should be.`
      : worse > 0
        ? `Fit to serve, with ${worse} ${worse === 1 ? 'warning' : 'warnings'}.`
        : 'Fit to serve.';
  return `${[...lines, '', last].join('\n')}\n`;
}
