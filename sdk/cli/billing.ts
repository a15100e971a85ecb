// What an app used, may use and costs: `appengine usage`, `quotas` and `billing …`.
import {
  type BillingChange,
  type BillingView,
  type InvoiceView,
  type QuotasView,
  type QuotaView,
  type UsageView,
} from '../contract/admin/usage.ts';
import { PlatformError } from '../contract/errors.ts';
import { MEGACYCLES_PER_CPU_SECOND, type UsageResource } from '../contract/usage.ts';
import { type CommandContext } from './command-context.ts';
import { formatBytes, formatTable, formatTime } from './table.ts';

const MICROS_PER_DOLLAR = 1_000_000;
const BAR_CELLS = 20;

export interface AppFlag {
  readonly app: string;
}

export async function showQuotas({ app }: AppFlag, context: CommandContext): Promise<void> {
  const { client, terminal, json } = context;
  const answer = await client.call<QuotasView>('GET', pathOf(app, 'quotas'));
  if (json) {
    terminal.printJson(answer);
    return;
  }
  const { red, yellow, green, dim } = terminal.outColours;
  const hasBars = terminal.stdout.isTerminal;
  const rows = answer.quotas.map((quota) => {
    const share = shareOf(quota);
    const state = quota.isExceeded ? red('exceeded') : share > 0.8 ? yellow('nearly used') : green('ok');
    const limit = quota.limit === undefined ? 'by the budget' : formatAmount(quota.resource, quota.limit);
    const paint = quota.isExceeded ? red : share > 0.8 ? yellow : green;
    return [
      quota.title,
      formatAmount(quota.resource, quota.used),
      limit,
      ...(hasBars ? [bar(share, paint, dim)] : []),
      `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`,
      state,
    ];
  });
  terminal.print(formatTable(['quota', 'used today', 'limit', ...(hasBars ? [''] : []), 'share', 'state'], rows));
  terminal.say(`The day is ${answer.day}; quotas reset at ${formatTime(answer.resetsAtMs)} UTC.`);
}

export async function showUsage({ app, days }: AppFlag & { readonly days: string }, context: CommandContext): Promise<void> {
  const { client, terminal, json } = context;
  const answer = await client.call<UsageView>('GET', `${pathOf(app, 'usage')}?days=${encodeURIComponent(days)}`);
  if (json) {
    terminal.printJson(answer);
    return;
  }
  const shown: readonly UsageResource[] = [
    'requests',
    'cpuMegacycles',
    'instanceSeconds',
    'outgoingBytes',
    'incomingBytes',
    'datastoreCalls',
  ];
  const most = Math.max(1, ...answer.days.map(({ amounts }) => amounts.cpuMegacycles ?? 0));
  const hasBars = terminal.stdout.isTerminal;
  const rows = answer.days.map(({ day, amounts, chargeMicros }) => [
    day,
    ...shown.map((resource) => formatAmount(resource, amounts[resource] ?? 0)),
    ...(hasBars ? [bar((amounts.cpuMegacycles ?? 0) / most, terminal.outColours.cyan, terminal.outColours.dim)] : []),
    formatMoney(chargeMicros),
  ]);
  const titles = ['day', 'requests', 'cpu', 'instances', 'outgoing', 'incoming', 'datastore calls', ...(hasBars ? ['cpu'] : []), 'charge'];
  terminal.print(formatTable(titles, rows));
}

export async function showBilling({ app }: AppFlag, context: CommandContext): Promise<void> {
  printBilling(app, await context.client.call<BillingView>('GET', pathOf(app, 'billing')), context);
}

export async function changeBilling({ app }: AppFlag, change: BillingChange, context: CommandContext): Promise<void> {
  printBilling(app, await context.client.call<BillingView>('PUT', pathOf(app, 'billing'), { json: change }), context);
}

export async function showInvoice(
  { app, day }: AppFlag & { readonly day?: string },
  { client, terminal, json }: CommandContext,
): Promise<void> {
  const query = day === undefined ? '' : `?day=${encodeURIComponent(day)}`;
  const invoice = await client.call<InvoiceView>('GET', `${pathOf(app, 'invoice')}${query}`);
  if (json) {
    terminal.printJson(invoice);
    return;
  }
  const rows = invoice.lines.map((line) => [
    line.title,
    formatAmount(line.resource, line.used),
    formatAmount(line.resource, line.free),
    line.billed === 0 ? '' : formatAmount(line.resource, line.billed),
    line.microsPerUnit === 0 ? '' : `${formatMoney(line.microsPerUnit)} per ${line.unit}`,
    line.microsPerUnit === 0 ? '' : formatMoney(line.amountMicros),
  ]);
  terminal.print(`${invoice.appId}, ${invoice.day}: ${formatMoney(invoice.totalMicros)}`);
  terminal.print(formatTable(['resource', 'used', 'free', 'billed', 'price', 'amount'], rows));
  terminal.say(`It adds up ${invoice.rows.length} usage rows; --json lists them.`);
}

function printBilling(app: string, view: BillingView, { terminal, json }: CommandContext): void {
  if (json) {
    terminal.printJson(view);
    return;
  }
  const { green, dim } = terminal.outColours;
  terminal.print(`Billing of ${app} is ${view.isEnabled ? green('enabled') : dim('disabled')}.`);
  terminal.print(`  daily budget   ${formatMoney(view.dailyBudgetMicros)}${view.isEnabled ? '' : ', once billing is enabled'}`);
  terminal.print(`  charged today  ${formatMoney(view.chargedMicros)}`);
  terminal.print(`  resets at      ${formatTime(view.resetsAtMs)} UTC`);
  const rows = view.prices.map(({ title, unit, microsPerUnit }) => [title, `${formatMoney(microsPerUnit)} per ${unit}`]);
  terminal.print(formatTable(['beyond the free quota', 'price'], rows));
}

/** `2.50` or `$2.50` in micro-dollars. Throws BUDGET_INVALID. */
export function parseMoney(text: string): number {
  const [, whole, decimals = ''] = /^\$?(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text.trim()) ?? [];
  if (whole === undefined) throw new PlatformError('BUDGET_INVALID', `"${text}"`);
  return Number(whole) * MICROS_PER_DOLLAR + Number(decimals.padEnd(6, '0'));
}

/** `$1.25`, with more decimals where there is less than a cent to tell. */
export function formatMoney(micros: number): string {
  return `$${(micros / MICROS_PER_DOLLAR).toFixed(6).replace(/(\.\d{2}\d*?)0+$/, '$1')}`;
}

function formatAmount(resource: UsageResource, amount: number): string {
  if (resource === 'cpuMegacycles') return formatSeconds(amount / MEGACYCLES_PER_CPU_SECOND);
  if (resource === 'instanceSeconds') return formatSeconds(amount);
  if (resource === 'storedByteHours') return `${formatBytes(amount)}·h`;
  return resource.endsWith('Bytes') ? formatBytes(amount) : amount.toLocaleString('en-US');
}

function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  return seconds < 3_600
    ? `${(seconds / 60).toFixed(1)} min`
    : `${(seconds / 3_600).toLocaleString('en-US', { maximumFractionDigits: 2 })} h`;
}

function shareOf({ used, free, limit = free }: QuotaView): number {
  return limit === 0 ? 1 : Math.min(1, used / limit);
}

type Paint = (text: string) => string;

function bar(share: number, full: Paint, empty: Paint): string {
  const cells = share === 0 ? 0 : Math.max(1, Math.round(share * BAR_CELLS));
  return full('█'.repeat(cells)) + empty('░'.repeat(BAR_CELLS - cells));
}

function pathOf(app: string, what: string): string {
  return `/apps/${encodeURIComponent(app)}/${what}`;
}
