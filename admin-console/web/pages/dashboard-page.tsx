// An app at a glance: live charts, then what serves it now and what it may still use.
import { Anchor, Button, SegmentedControl, SimpleGrid, Skeleton, Text } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import { type ReactElement, useMemo, useState } from 'react';
import { Link } from 'react-router';
import { type AdminInstanceView, type AppView, type VersionView } from '../../../sdk/contract/admin/admin.ts';
import { type MetricsPoint, type MetricsView, type QuotasView } from '../../../sdk/contract/admin/usage.ts';
import { useResource } from '../api/resource.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { QuotaBar } from '../parts/quota-bar.tsx';
import { Age, RelativeTime } from '../parts/relative-time.tsx';
import { Shown } from '../parts/shown.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { type Series, TimeChart } from '../parts/time-chart.tsx';
import { bytesText, countText, durationText, shareText, shortNumberText } from '../text/number-text.ts';
import { amountText } from '../text/usage-text.ts';
import { useAppPlace } from './app-place.ts';
import { instanceTone } from './instance-tone.ts';

const REFRESH_MS = 2_000;
const PERIODS = [
  { value: '10', label: '10 min' },
  { value: '60', label: '1 h' },
  { value: '1440', label: '24 h' },
];
const QUOTAS_SHOWN = 5;

interface ChartSpec {
  readonly title: string;
  readonly format: (value: number) => string;
  readonly unit?: 'bytes' | 'things';
  readonly series: readonly (readonly [
    title: string,
    colour: Series['colour'],
    value: (point: MetricsPoint, seconds: number) => number | null,
  ])[];
}

const CHARTS: readonly ChartSpec[] = [
  {
    title: 'Requests',
    format: (value) => `${shortNumberText(value)}/s`,
    series: [
      ['2xx and 3xx', 'good', (point, seconds) => Math.max(0, point.requests - point.clientErrors - point.serverErrors) / seconds],
      ['4xx', 'warn', (point, seconds) => point.clientErrors / seconds],
      ['5xx', 'bad', (point, seconds) => point.serverErrors / seconds],
    ],
  },
  {
    title: 'Latency',
    format: durationText,
    series: [
      ['p50', 'good', (point) => point.latencyP50Ms ?? null],
      ['p99', 'other', (point) => point.latencyP99Ms ?? null],
    ],
  },
  {
    title: 'CPU',
    format: (value) => `${shortNumberText(value)} Mc/s`,
    series: [['Megacycles per second', 'good', (point, seconds) => point.cpuMegacycles / seconds]],
  },
  {
    title: 'Instances',
    unit: 'things',
    format: shortNumberText,
    series: [
      ['Instances', 'good', (point) => point.instances],
      ['Cold starts', 'warn', (point) => point.coldStarts],
    ],
  },
  { title: 'Memory', unit: 'bytes', format: bytesText, series: [['All instances', 'other', (point) => point.memoryBytes]] },
  {
    title: 'Bandwidth',
    unit: 'bytes',
    format: (value) => `${bytesText(value)}/s`,
    series: [
      ['Outgoing', 'good', (point, seconds) => point.outgoingBytes / seconds],
      ['Incoming', 'other', (point, seconds) => point.incomingBytes / seconds],
    ],
  },
];

function Charts({ metrics }: { readonly metrics: MetricsView }): ReactElement {
  const { points, stepMs } = metrics;
  const timesMs = useMemo(() => points.map(({ atMs }) => atMs), [points]);
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      {CHARTS.map(({ title, format, unit, series }) => (
        <TimeChart
          key={title}
          title={title}
          timesMs={timesMs}
          format={format}
          unit={unit}
          series={series.map(([name, colour, value]) => ({
            title: name,
            colour,
            values: points.map((point) => value(point, stepMs / 1_000)),
          }))}
        />
      ))}
    </SimpleGrid>
  );
}

function Quotas({ quotas, to }: { readonly quotas: QuotasView; readonly to: string }): ReactElement {
  const share = ({ used, limit, free }: QuotasView['quotas'][number]): number => used / Math.max(1, limit ?? free);
  const fullest = [...quotas.quotas].sort((a, b) => share(b) - share(a)).slice(0, QUOTAS_SHOWN);
  return (
    <Panel
      title="Quotas today"
      description={
        <>
          Reset <RelativeTime atMs={quotas.resetsAtMs} />
        </>
      }
      actions={
        <Button component={Link} to={to} size="compact-sm" variant="default">
          All quotas
        </Button>
      }
    >
      <ul className="plain-list quota-list">
        {fullest.map((quota) => (
          <li key={quota.resource}>
            <div className="quota-line">
              <span>{quota.title}</span>
              <span className="quota-amount">
                {amountText(quota.resource, quota.used)} of {amountText(quota.resource, quota.limit ?? quota.free)}
                {quota.isExceeded && <StateBadge tone="bad">Exceeded</StateBadge>}
              </span>
            </div>
            <QuotaBar share={share(quota)} {...(quota.isExceeded ? { tone: 'bad' as const } : {})} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const chartsWaiting = (
  <SimpleGrid cols={{ base: 1, md: 2 }}>
    {CHARTS.map(({ title }) => (
      <Skeleton key={title} height={260} radius="md" />
    ))}
  </SimpleGrid>
);

export function DashboardPage(): ReactElement {
  const { appId, base } = useAppPlace();
  const here = `/apps/${encodeURIComponent(appId)}`;
  const [minutes, setMinutes] = useState('10');
  const app = useResource<AppView>(base);
  const metrics = useResource<MetricsView>(`${base}/metrics?minutes=${minutes}`, { refetchMs: REFRESH_MS, keepsPrevious: true });
  const versions = useResource<{ versions: readonly VersionView[] }>(`${base}/versions`, { refetchMs: REFRESH_MS });
  const instances = useResource<{ instances: readonly AdminInstanceView[] }>(`${base}/instances`, { refetchMs: REFRESH_MS });
  const quotas = useResource<QuotasView>(`${base}/quotas`, { refetchMs: 10_000 });
  const serving = versions.data?.versions.filter(({ trafficShare, instances: count }) => trafficShare > 0 || count > 0);

  return (
    <Page
      title="Dashboard"
      of={appId}
      description={
        app.data !== undefined && (
          <Anchor href={app.data.url} target="_blank" rel="noreferrer" size="sm" className="breaks">
            {app.data.url} <IconExternalLink size={13} aria-label="(opens in a new tab)" />
          </Anchor>
        )
      }
      actions={<SegmentedControl size="xs" data={PERIODS} value={minutes} onChange={setMinutes} aria-label="Period of the charts" />}
    >
      <Shown resource={metrics} waiting={chartsWaiting}>
        {(data) => <Charts metrics={data} />}
      </Shown>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        <Panel
          title="Serving now"
          isFlush
          actions={
            <Button component={Link} to={`${here}/versions`} size="compact-sm" variant="default">
              All versions
            </Button>
          }
        >
          <Shown resource={versions}>
            {() =>
              serving === undefined || serving.length === 0 ? (
                <NothingYet icon={null} title="No version serves" command={`npx appengine deploy . --app ${appId}`}>
                  Deploy a version, or move traffic to one.
                </NothingYet>
              ) : (
                <DataTable
                  label="Versions that serve"
                  rows={serving}
                  keyOf={({ service, version }) => `${service}/${version}`}
                  columns={[
                    { title: 'Service', cell: ({ service }) => <span className="mono">{service}</span> },
                    { title: 'Version', isHeader: true, cell: ({ version }) => <span className="mono">{version}</span> },
                    { title: 'Traffic', isNumber: true, cell: ({ trafficShare }) => shareText(trafficShare) },
                    { title: 'Instances', isNumber: true, cell: (version) => countText(version.instances) },
                  ]}
                />
              )
            }
          </Shown>
        </Panel>
        <Shown resource={quotas} waiting={<Skeleton height={200} radius="md" />}>
          {(data) => <Quotas quotas={data} to={`${here}/quotas`} />}
        </Shown>
      </SimpleGrid>
      <Panel
        title="Instances now"
        isFlush
        actions={
          <Button component={Link} to={`${here}/instances`} size="compact-sm" variant="default">
            All instances
          </Button>
        }
      >
        <Shown resource={instances}>
          {({ instances: all }) =>
            all.length === 0 ? (
              <Text size="sm" c="dimmed" px="md" pb="md">
                None: the app is scaled down to zero. The next request starts one.
              </Text>
            ) : (
              <DataTable
                label="Instances that run"
                rows={all.slice(0, 8)}
                keyOf={({ id }) => id}
                columns={[
                  { title: 'Instance', isHeader: true, cell: ({ id }) => <span className="mono">{id}</span> },
                  { title: 'Version', cell: ({ service, version }) => <span className="mono nowrap">{`${service}/${version}`}</span> },
                  { title: 'State', cell: ({ state }) => <StateBadge tone={instanceTone(state)}>{state}</StateBadge> },
                  { title: 'Age', isNumber: true, cell: ({ startedAtMs }) => <Age sinceMs={startedAtMs} /> },
                  {
                    title: 'Memory',
                    isNumber: true,
                    cell: ({ memoryBytes }) => (memoryBytes === undefined ? '–' : bytesText(memoryBytes)),
                  },
                ]}
              />
            )
          }
        </Shown>
      </Panel>
    </Page>
  );
}
