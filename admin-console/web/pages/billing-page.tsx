// What the app costs: whether it may cost anything, today's charge, the days before, and what each charge is made of.
import { Button, Group, Modal, Stack, Switch, Text, TextInput } from '@mantine/core';
import { type ReactElement, useState } from 'react';
import { useSearchParams } from 'react-router';
import { type BillingChange, type BillingView, type InvoiceView, type UsageView } from '../../../sdk/contract/admin/usage.ts';
import { USAGE_RESOURCES } from '../../../sdk/contract/usage.ts';
import { useAction, useResource } from '../api/resource.tsx';
import { confirmFirst } from '../parts/confirmation.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { FailureAlert } from '../parts/failure.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { QuotaBar } from '../parts/quota-bar.tsx';
import { RelativeTime } from '../parts/relative-time.tsx';
import { Shown } from '../parts/shown.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { StatTiles } from '../parts/stat-tiles.tsx';
import { TimeChart } from '../parts/time-chart.tsx';
import { countText, microsOf, moneyText } from '../text/number-text.ts';
import { clockText } from '../text/time-text.ts';
import { amountText, resourceTitle } from '../text/usage-text.ts';
import { useAppPlace } from './app-place.ts';

const DAYS_SHOWN = 30;
const ROWS_SHOWN_MAX = 500;

function BudgetForm({
  base,
  billing,
  onClose,
}: {
  readonly base: string;
  readonly billing: BillingView;
  readonly onClose: () => void;
}): ReactElement {
  const [budget, setBudget] = useState(moneyText(billing.dailyBudgetMicros).slice(1));
  const micros = microsOf(budget);
  const save = useAction(
    (api) => {
      const change: BillingChange = { isEnabled: true, dailyBudgetMicros: micros ?? 0 };
      return api.send<BillingView>('PUT', `${base}/billing`, change);
    },
    {
      touches: [base],
      showsFailure: true,
      done: ({ dailyBudgetMicros }) => `The app may cost ${moneyText(dailyBudgetMicros)} a day.`,
      onDone: onClose,
    },
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (micros !== undefined) save.mutate(undefined);
      }}
    >
      <Stack gap="md">
        {save.error !== null && <FailureAlert failure={save.error} />}
        <TextInput
          label="Daily budget in US dollars"
          description="Beyond what is free, the app stops when a day has cost this much"
          value={budget}
          onChange={(event) => setBudget(event.currentTarget.value)}
          error={micros === undefined ? 'Give an amount with at most six decimals, such as 5 or 2.50' : undefined}
          leftSection="$"
          inputMode="decimal"
          data-autofocus
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={micros === undefined} loading={save.isPending}>
            {billing.isEnabled ? 'Set budget' : 'Enable billing'}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Invoice({ base, day }: { readonly base: string; readonly day: string }): ReactElement {
  const invoice = useResource<InvoiceView>(`${base}/invoice?day=${encodeURIComponent(day)}`);
  return (
    <Panel title={`Invoice of ${day}`} isFlush description="Each line is the sum of the usage rows below it.">
      <Shown resource={invoice}>
        {({ lines, totalMicros, rows }) => {
          const resources = USAGE_RESOURCES.filter((resource) => rows.some(({ amounts }) => amounts[resource] !== undefined));
          return (
            <>
              {lines.length === 0 ? (
                <Text size="sm" px="md" pb="md">
                  Nothing is charged: the day stayed within what is free.
                </Text>
              ) : (
                <DataTable
                  label={`Lines of the invoice of ${day}`}
                  rows={[...lines, undefined]}
                  keyOf={(line) => line?.resource ?? 'total'}
                  columns={[
                    { title: 'Resource', isHeader: true, cell: (line) => line?.title ?? 'Total' },
                    { title: 'Used', isNumber: true, cell: (line) => (line === undefined ? '' : amountText(line.resource, line.used)) },
                    { title: 'Free', isNumber: true, cell: (line) => (line === undefined ? '' : amountText(line.resource, line.free)) },
                    { title: 'Billed', isNumber: true, cell: (line) => (line === undefined ? '' : amountText(line.resource, line.billed)) },
                    {
                      title: 'Price',
                      isNumber: true,
                      cell: (line) => (line === undefined ? '' : `${moneyText(line.microsPerUnit)} per ${line.unit}`),
                    },
                    {
                      title: 'Amount',
                      isNumber: true,
                      cell: (line) => (line === undefined ? <b>{moneyText(totalMicros)}</b> : moneyText(line.amountMicros)),
                    },
                  ]}
                />
              )}
              <details className="usage-rows">
                <summary>
                  {countText(rows.length)} usage rows
                  {rows.length > ROWS_SHOWN_MAX ? `, the first ${countText(ROWS_SHOWN_MAX)} of them` : ''}
                </summary>
                <DataTable
                  label={`Usage rows of ${day}`}
                  rows={rows.slice(0, ROWS_SHOWN_MAX)}
                  keyOf={({ source, sequence }) => `${source} ${sequence}`}
                  columns={[
                    { title: 'Source', isHeader: true, cell: ({ source }) => <span className="mono">{source}</span> },
                    { title: 'Sequence', isNumber: true, cell: ({ sequence }) => <span className="mono">{sequence}</span> },
                    {
                      title: 'Interval',
                      cell: ({ fromMs, toMs }) => <span className="nowrap">{`${clockText(fromMs)} – ${clockText(toMs)}`}</span>,
                    },
                    ...resources.map((resource) => ({
                      title: resourceTitle(resource),
                      isNumber: true,
                      cell: ({ amounts }: InvoiceView['rows'][number]) => {
                        const amount = amounts[resource];
                        return amount === undefined ? '' : amountText(resource, amount);
                      },
                    })),
                  ]}
                />
              </details>
            </>
          );
        }}
      </Shown>
    </Panel>
  );
}

function History({
  usage,
  chosen,
  onChoose,
}: {
  readonly usage: UsageView;
  readonly chosen: string;
  readonly onChoose: (day: string) => void;
}): ReactElement {
  const oldestFirst = [...usage.days].reverse();
  return (
    <>
      <TimeChart
        title="Charges by day"
        shape="bars"
        topMin={100_000}
        timesMs={oldestFirst.map(({ day }) => Date.parse(`${day}T00:00:00Z`))}
        format={(micros) => moneyText(Math.round(micros))}
        formatTime={(atMs) => new Date(atMs).toISOString().slice(0, 10)}
        series={[{ title: 'Charge', colour: 'good', values: oldestFirst.map(({ chargeMicros }) => chargeMicros) }]}
      />
      <Panel title="Days" isFlush>
        <div className="tall">
          <DataTable
            label="Usage and charge by day, newest first"
            rows={usage.days}
            keyOf={({ day }) => day}
            columns={[
              { title: 'Day', isHeader: true, cell: ({ day }) => <span className="mono">{day}</span> },
              { title: 'Requests', isNumber: true, cell: ({ amounts }) => countText(amounts.requests ?? 0) },
              { title: 'CPU', isNumber: true, cell: ({ amounts }) => amountText('cpuMegacycles', amounts.cpuMegacycles ?? 0) },
              { title: 'Outgoing', isNumber: true, cell: ({ amounts }) => amountText('outgoingBytes', amounts.outgoingBytes ?? 0) },
              { title: 'Charge', isNumber: true, cell: ({ chargeMicros }) => moneyText(chargeMicros) },
              {
                title: 'Invoice',
                hidesTitle: true,
                isNumber: true,
                cell: ({ day }) => (
                  <Button
                    size="compact-sm"
                    variant="default"
                    aria-pressed={day === chosen}
                    aria-label={`Invoice of ${day}`}
                    onClick={() => onChoose(day)}
                  >
                    Invoice
                  </Button>
                ),
              },
            ]}
          />
        </div>
      </Panel>
    </>
  );
}

export function BillingPage(): ReactElement {
  const { appId, base } = useAppPlace();
  const [search, setSearch] = useSearchParams();
  const [editsBudget, setEditsBudget] = useState(false);
  const billing = useResource<BillingView>(`${base}/billing`, { refetchMs: 5_000 });
  const usage = useResource<UsageView>(`${base}/usage?days=${DAYS_SHOWN}`, { refetchMs: 30_000 });
  const disable = useAction((api) => api.send('PUT', `${base}/billing`, { isEnabled: false }), {
    touches: [base],
    done: () => 'Billing is disabled: the app stays within what is free.',
  });
  const askToDisable = (): void =>
    confirmFirst({
      title: `Disable billing of ${appId}?`,
      text: 'The app then stops at its free quotas each day. What today has cost already is still charged.',
      verb: 'Disable billing',
      onConfirm: () => disable.mutate(undefined),
    });
  return (
    <Page
      title="Billing"
      of={appId}
      description="The app costs nothing within its free quotas. Beyond them it costs at most its daily budget."
    >
      <Shown resource={billing}>
        {(data) => {
          const day = search.get('day') ?? data.day;
          return (
            <>
              <StatTiles
                stats={[
                  {
                    title: 'Billing',
                    value: <StateBadge tone={data.isEnabled ? 'good' : 'quiet'}>{data.isEnabled ? 'Enabled' : 'Disabled'}</StateBadge>,
                  },
                  {
                    title: 'Charged today',
                    value: moneyText(data.chargedMicros),
                    note: data.isEnabled ? <QuotaBar share={data.chargedMicros / Math.max(1, data.dailyBudgetMicros)} /> : undefined,
                  },
                  { title: 'Daily budget', value: data.isEnabled ? moneyText(data.dailyBudgetMicros) : '–' },
                  {
                    title: 'Day',
                    value: <span className="mono">{data.day}</span>,
                    note: (
                      <>
                        ends <RelativeTime atMs={data.resetsAtMs} />
                      </>
                    ),
                  },
                ]}
              />
              <Panel title="Settings">
                <Group justify="space-between">
                  <Switch
                    label="Billing"
                    description="Lets the app go beyond its free quotas, up to its budget"
                    checked={data.isEnabled}
                    onChange={() => (data.isEnabled ? askToDisable() : setEditsBudget(true))}
                  />
                  <Button variant="default" disabled={!data.isEnabled} onClick={() => setEditsBudget(true)}>
                    Change budget
                  </Button>
                </Group>
              </Panel>
              <Shown resource={usage}>
                {(history) => (
                  <History usage={history} chosen={day} onChoose={(chosen) => setSearch({ day: chosen }, { preventScrollReset: true })} />
                )}
              </Shown>
              <Invoice base={base} day={day} />
              <Panel title="Prices" description="As the operator of this platform set them." isFlush>
                <DataTable
                  label="Prices"
                  rows={data.prices}
                  keyOf={({ resource }) => resource}
                  columns={[
                    { title: 'Resource', isHeader: true, cell: ({ title }) => title },
                    { title: 'Price', isNumber: true, cell: ({ microsPerUnit, unit }) => `${moneyText(microsPerUnit)} per ${unit}` },
                  ]}
                />
              </Panel>
              <Modal opened={editsBudget} onClose={() => setEditsBudget(false)} title={data.isEnabled ? 'Daily budget' : 'Enable billing'}>
                <BudgetForm base={base} billing={data} onClose={() => setEditsBudget(false)} />
              </Modal>
            </>
          );
        }}
      </Shown>
    </Page>
  );
}
