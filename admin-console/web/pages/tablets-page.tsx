// Where data lies and how busy it is: the tablets of all apps.
import { Button, Group, SegmentedControl, Select, Text } from '@mantine/core';
import { IconLayoutRows } from '@tabler/icons-react';
import { type ReactElement, useState } from 'react';
import { type AppView } from '../../../sdk/contract/admin/admin.ts';
import { type TabletRateView, type TabletsView, type TabletView } from '../../../sdk/contract/admin/tablets.ts';
import { useResource } from '../api/resource.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { HeatMap } from '../parts/heat-map.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { Shown } from '../parts/shown.tsx';
import { StatTiles } from '../parts/stat-tiles.tsx';
import { bytesText, countText } from '../text/number-text.ts';
import { minuteText } from '../text/time-text.ts';

const STEP_MINUTES = 15;
const STEP_MS = STEP_MINUTES * 60_000;
const PAGE_TABLETS = 200;
const REFETCH_MS = 15_000;

type Load = 'reads' | 'writes';

const rateText = ({ lastMinute, peak }: TabletRateView): string => `${countText(lastMinute)} (${countText(peak)})`;
const sumOf = (tablets: readonly TabletView[], of: (tablet: TabletView) => number): number =>
  tablets.reduce((sum, tablet) => sum + of(tablet), 0);

function LoadMap({ data, load }: { readonly data: TabletsView; readonly load: Load }): ReactElement {
  const { tablets, history } = data;
  const fromMs = history?.fromMs ?? 0;
  const rows = tablets.map(({ id, history: series }) => ({ key: id, values: series?.[load] ?? [] }));
  const max = rows.reduce((most, { values }) => values.reduce((one, value) => Math.max(one, value), most), 0);
  const steps = rows[0]?.values.length ?? 0;
  const time = (step: number): string => minuteText(fromMs + step * STEP_MS);
  return (
    <>
      <HeatMap
        label={`Rows ${load === 'reads' ? 'read' : 'written'} over the last 24 hours, a line for each of ${countText(tablets.length)} tablets; the table below has the figures`}
        rows={rows}
        max={max}
        cellText={(row, step) =>
          `Tablet ${tablets[row]?.id ?? ''}, ${time(step)} to ${time(step + 1)}: ${countText(rows[row]?.values[step] ?? 0)} rows ${load === 'reads' ? 'read' : 'written'}`
        }
        hint={max === 0 ? 'Nothing happened in 24 hours' : `Strongest colour: ${countText(max)} rows in ${STEP_MINUTES} minutes`}
      />
      <div className="heat-map-times" aria-hidden>
        {[0, steps / 4, steps / 2, (3 * steps) / 4].map((step) => (
          <span key={step}>{time(step)}</span>
        ))}
        <span>now</span>
      </div>
    </>
  );
}

function TabletTable({ tablets }: { readonly tablets: readonly TabletView[] }): ReactElement {
  return (
    <DataTable
      label="Tablets"
      rows={tablets}
      keyOf={({ id }) => id}
      columns={[
        { title: 'Tablet', isHeader: true, cell: ({ id }) => id },
        {
          title: 'Range',
          cell: ({ start, end }) => (
            <div className="tablet-range">
              <span className="mono">{start.text}</span>
              <br />
              <Text span size="sm" c="dimmed">
                to {end?.text ?? 'the end'}
              </Text>
            </div>
          ),
        },
        { title: 'Rows', isNumber: true, cell: ({ rows }) => countText(rows) },
        { title: 'Size', isNumber: true, cell: ({ bytes }) => bytesText(bytes) },
        { title: 'Reads/min (peak)', isNumber: true, cell: ({ reads }) => rateText(reads) },
        { title: 'Writes/min (peak)', isNumber: true, cell: ({ writes }) => rateText(writes) },
      ]}
    />
  );
}

export function TabletsPage(): ReactElement {
  const [load, setLoad] = useState<Load>('reads');
  const [appId, setAppId] = useState<string>();
  const [from, setFrom] = useState(0);
  const apps = useResource<{ apps: readonly AppView[] }>('/apps');
  const query = new URLSearchParams({ history: String(STEP_MINUTES), limit: String(PAGE_TABLETS), from: String(from) });
  if (appId !== undefined) query.set('app', appId);
  const shown = useResource<TabletsView>(`/datastore/tablets?${query.toString()}`, { refetchMs: REFETCH_MS, keepsPrevious: true });
  const filter = (
    <Select
      aria-label="App"
      placeholder="All apps"
      data={(apps.data?.apps ?? []).map(({ id }) => id)}
      value={appId ?? null}
      onChange={(id) => {
        setAppId(id ?? undefined);
        setFrom(0);
      }}
      clearable
      clearButtonProps={{ 'aria-label': 'Show all apps' }}
    />
  );
  return (
    <Page
      title="Tablets"
      description="The ranges of keys that the datastore is cut into, of all apps: a range that grows or is busy is cut in two, small and idle ones become one."
      actions={filter}
    >
      <Shown resource={shown}>
        {(data) =>
          data.tablets.length === 0 ? (
            <NothingYet icon={<IconLayoutRows />} title="No more tablets">
              They have become fewer since this page was opened. Go back to the first ones.
            </NothingYet>
          ) : (
            <>
              <StatTiles
                stats={[
                  { title: 'Tablets shown', value: countText(data.tablets.length) },
                  { title: 'Rows', value: countText(sumOf(data.tablets, ({ rows }) => rows)) },
                  { title: 'Size', value: bytesText(sumOf(data.tablets, ({ bytes }) => bytes)) },
                  { title: 'Reads, last minute', value: countText(sumOf(data.tablets, ({ reads }) => reads.lastMinute)) },
                  { title: 'Writes, last minute', value: countText(sumOf(data.tablets, ({ writes }) => writes.lastMinute)) },
                ]}
              />
              <Panel
                title="Load over 24 hours"
                description="A line for each tablet, in the order of the table"
                actions={
                  <SegmentedControl
                    aria-label="What the map shows"
                    value={load}
                    onChange={(value) => setLoad(value === 'writes' ? 'writes' : 'reads')}
                    data={[
                      { value: 'reads', label: 'Reads' },
                      { value: 'writes', label: 'Writes' },
                    ]}
                  />
                }
              >
                <LoadMap data={data} load={load} />
              </Panel>
              <Panel isFlush>
                <TabletTable tablets={data.tablets} />
              </Panel>
            </>
          )
        }
      </Shown>
      {(from > 0 || shown.data?.next !== undefined) && (
        <Group justify="space-between">
          <Button variant="default" disabled={from === 0} onClick={() => setFrom(Math.max(0, from - PAGE_TABLETS))}>
            Earlier keys
          </Button>
          <Button variant="default" disabled={shown.data?.next === undefined} onClick={() => setFrom(shown.data?.next ?? 0)}>
            Later keys
          </Button>
        </Group>
      )}
      <Text size="sm" c="dimmed">
        Rows and sizes count entities and their index rows. Reads and writes are rows, in the last full minute and in the busiest one of 24
        hours.
      </Text>
    </Page>
  );
}
