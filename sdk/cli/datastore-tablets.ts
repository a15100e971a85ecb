import { type TabletQuery, type TabletsView, type TabletView } from '../contract/admin/tablets.ts';
import { LIMITS } from '../contract/limits.ts';
import { type CommandContext } from './command-context.ts';
import { formatBytes, formatCount, formatTable } from './table.ts';
import { withoutControl } from './terminal.ts';

/** Of where a tablet starts; with the figures beside it a line fits 100 columns. */
const START_CHARACTERS_MAX = 40;

export interface TabletFlags {
  readonly app?: string;
}

/** All tablets, or those that hold keys of one app. With --json where they start and end as bytes too. */
export async function listTablets({ app }: TabletFlags, context: CommandContext): Promise<void> {
  const tablets = await allPages(app, context);
  const { terminal, json } = context;
  if (json) {
    terminal.printJson({ tablets });
    return;
  }
  const rows = tablets.map(({ id, start, rows: count, bytes, reads, writes }) => [
    String(id),
    shortened(withoutControl(start.text)),
    String(count),
    formatBytes(bytes),
    `${reads.lastMinute} (${reads.peak})`,
    `${writes.lastMinute} (${writes.peak})`,
  ]);
  terminal.print(formatTable(['id', 'from', 'rows', 'size', 'reads/min', 'writes/min'], rows));
  const of = app === undefined ? '' : ` with keys of ${app}`;
  terminal.say(
    `${formatCount(tablets.length, 'tablet')}${of}; each ends where the next one starts. In brackets: the peak of the last 24 h.`,
  );
}

async function allPages(app: string | undefined, { client }: CommandContext): Promise<readonly TabletView[]> {
  const tablets: TabletView[] = [];
  for (let from: number | undefined = 0; from !== undefined;) {
    const query: TabletQuery = { from, limit: LIMITS.tabletsListedMax, ...(app === undefined ? {} : { app }) };
    const text = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])).toString();
    const page: TabletsView = await client.call<TabletsView>('GET', `/datastore/tablets?${text}`);
    tablets.push(...page.tablets);
    from = page.next;
  }
  return tablets;
}

function shortened(text: string): string {
  return text.length <= START_CHARACTERS_MAX ? text : `${text.slice(0, START_CHARACTERS_MAX - 1)}…`;
}
