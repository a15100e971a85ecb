// `appengine datastore check`: what is on disk, and what does not fit together.
import { type CheckEvent, type CheckRequest, type CheckTotals, type Finding } from '../contract/admin/integrity.ts';
import { errorFromBody, PlatformError } from '../contract/errors.ts';
import { type CommandContext } from './command-context.ts';
import { createProgress, type Progress, silentProgress } from './progress.ts';
import { formatBytes, formatCount, formatTable } from './table.ts';
import { type Terminal, withoutControl } from './terminal.ts';

export interface CheckFlags {
  readonly app?: string;
  readonly repair?: boolean;
}

/** As datastore/FORMAT.md calls them; others are shown by their letter alone. */
const FAMILY_NAMES: Readonly<Record<string, string>> = {
  A: 'stored bytes of apps',
  C: 'composite index rows',
  D: 'settings',
  E: 'entities',
  H: 'earlier versions',
  K: 'kind rows',
  M: 'tablets',
  P: 'property index rows',
  S: 'sequences',
  T: 'load of tablets',
  X: 'composite indexes',
};

/** Throws DS_DAMAGED when anything was found that is not mended. With --json one document with the totals and the findings. */
export async function checkDatastore(flags: CheckFlags, context: CommandContext): Promise<void> {
  const { terminal, json, timers } = context;
  const progress = json ? silentProgress : createProgress(terminal, timers);
  const findings: Finding[] = [];
  let totals: CheckTotals;
  try {
    totals = await follow(flags, context, progress, (finding) => {
      findings.push(finding);
    });
  } finally {
    progress.close();
  }
  if (json) terminal.printJson({ ...totals, listed: findings });
  else printResult(flags, totals, findings, terminal);
  const left = totals.findings - totals.repaired;
  if (left > 0) throw new PlatformError('DS_DAMAGED', formatCount(left, 'finding'), { details: { findings: left } });
}

async function follow(
  flags: CheckFlags,
  { client, signal }: CommandContext,
  progress: Progress,
  onFinding: (finding: Finding) => void,
): Promise<CheckTotals> {
  const path = flags.app === undefined ? '/datastore/check' : `/apps/${encodeURIComponent(flags.app)}/datastore/check`;
  const request: CheckRequest = flags.repair ? { repair: true } : {};
  for await (const event of client.lines<CheckEvent>('POST', path, { json: request, signal })) {
    switch (event.kind) {
      case 'progress':
        progress.running('Checking', walked(event));
        break;
      case 'finding':
        onFinding(event.finding);
        break;
      case 'done':
        progress.done('Checked', `${formatCount(event.files, 'file')}, ${formatCount(event.rows, 'row')}, ${formatBytes(event.bytes)}`);
        return event;
      case 'failed':
        throw errorFromBody(event.error);
      default:
      // A newer server says more; what is known suffices.
    }
  }
  throw new PlatformError('RPC_CONNECTION_LOST', 'the check was cut off before its end');
}

function walked({ rows, bytes, bytesExpected }: CheckEvent & { kind: 'progress' }): string {
  const of = bytesExpected > 0 ? ` of about ${formatBytes(Math.max(bytes, bytesExpected))}` : '';
  return `${formatCount(rows, 'row')}, ${formatBytes(bytes)}${of}`;
}

function printResult(flags: CheckFlags, totals: CheckTotals, findings: readonly Finding[], terminal: Terminal): void {
  const families = Object.entries(totals.families).sort(([one], [other]) => (one < other ? -1 : 1));
  terminal.print(
    formatTable(
      ['family', 'rows', 'what'],
      families.map(([family, rows]) => [family, String(rows), FAMILY_NAMES[family] ?? 'unknown']),
    ),
  );
  if (totals.findings === 0) {
    terminal.print(`No difference: everything of ${flags.app === undefined ? 'all apps' : flags.app} fits together.`);
    return;
  }
  for (const { problem, family, row, rowKey, detail, repaired } of findings) {
    terminal.print(`${problem}  ${family} ${withoutControl(row)}`);
    terminal.print(`  ${withoutControl(detail)}`);
    if (rowKey !== '') terminal.print(`  key ${rowKey}`);
    if (repaired !== undefined) terminal.print(`  repaired: ${withoutControl(repaired)}`);
  }
  if (totals.findings > findings.length) terminal.print(`and ${formatCount(totals.findings - findings.length, 'more finding')}`);
  if (totals.repaired > 0) terminal.print(`Repaired ${totals.repaired} of ${formatCount(totals.findings, 'finding')}.`);
}
