// The log of an app: requests and what its instances wrote, filtered, and followed as it grows.
import { Button, Drawer, NativeSelect, Switch, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconListDetails, IconPlayerPause, IconPlayerPlay, IconSearch } from '@tabler/icons-react';
import { type ReactElement, useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';
import { type VersionView } from '../../../sdk/contract/admin/admin.ts';
import { type LogRow, type LogSeverity, severityOf } from '../../../sdk/contract/admin/logs.ts';
import { LOG_ROWS_MAX, type NumberedRow, useLogTail } from '../api/log-tail.ts';
import { useResource } from '../api/resource.tsx';
import { CodeBlock } from '../parts/code-block.tsx';
import { type Detail, DetailList } from '../parts/detail-list.tsx';
import { FailureAlert } from '../parts/failure.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { bytesText, countText, durationText } from '../text/number-text.ts';
import { nowMs } from '../support/browser-clock.ts';
import { absoluteText } from '../text/time-text.ts';
import { useAppPlace } from './app-place.ts';
import { LogList } from './log-list.tsx';

const LINES = 500;
const SOURCES = [
  { value: 'all', label: 'Requests and app' },
  { value: 'request', label: 'Requests' },
  { value: 'app', label: 'App' },
];
const LEVELS: { value: LogSeverity; label: string }[] = [
  { value: 'DEFAULT', label: 'Everything' },
  { value: 'INFO', label: 'Info and worse' },
  { value: 'WARNING', label: 'Warning, 4xx and worse' },
  { value: 'ERROR', label: 'Error, 5xx and worse' },
];
const SPANS_MS: Readonly<Record<string, number>> = { '10m': 600_000, '1h': 3_600_000, '1d': 86_400_000, '7d': 604_800_000 };
const SPANS = [
  { value: '', label: 'Any' },
  { value: '10m', label: 'Last 10 minutes' },
  { value: '1h', label: 'Last hour' },
  { value: '1d', label: 'Last day' },
  { value: '7d', label: 'Last 7 days' },
];

function detailsOf(row: LogRow): readonly Detail[] {
  const place: Detail[] = [
    ['Time', `${absoluteText(row.atMs)} (${new Date(row.atMs).toISOString()})`],
    ['Service', <code key="service">{row.service}</code>],
    ['Version', <code key="version">{row.version}</code>],
    ['Instance', <code key="instance">{row.instanceId ?? '–'}</code>],
  ];
  if (row.kind === 'app') {
    return [
      ...place,
      ['Severity', severityOf(row)],
      ['Stream', row.stream],
      ...(row.requestId === undefined ? [] : [['Request id', <code key="id">{row.requestId}</code>] as const]),
      ...(row.traceId === undefined ? [] : [['Trace', <code key="trace">{row.traceId}</code>] as const]),
      ...Object.entries(row.labels ?? {}).map(([name, label]): Detail => [name, label]),
    ];
  }
  return [
    ['Request', <code key="request">{`${row.method} ${row.target}`}</code>],
    ['Status', String(row.status)],
    ...place,
    ['Request id', <code key="id">{row.requestId}</code>],
    ['Latency', durationText(row.latencyMs)],
    ...(row.cpuMs === undefined ? [] : [['CPU (estimate)', durationText(row.cpuMs)] as const]),
    ['Response', bytesText(row.responseBytes)],
    ['Started its instance', row.isLoadingRequest ? 'yes' : 'no'],
    ...(row.errorCode === undefined ? [] : [['Error', <code key="error">{row.errorCode}</code>] as const]),
  ];
}

interface Filters {
  readonly source: string;
  readonly service: string;
  readonly version: string;
  readonly severity: LogSeverity;
  /** Text, or a pattern between slashes. */
  readonly text: string;
  readonly status: string;
  readonly path: string;
  readonly sinceMs: number | undefined;
}

/** All of them are the server's to apply. */
function queryOf({ source, severity, text, sinceMs, ...same }: Filters, isFollowed: boolean): string {
  const query = new URLSearchParams({ lines: String(LINES), source });
  if (isFollowed) query.set('follow', '1');
  for (const [name, value] of Object.entries(same)) if (value !== '') query.set(name, value);
  if (severity !== 'DEFAULT') query.set('severity', severity);
  if (sinceMs !== undefined) query.set('since', String(sinceMs));
  const pattern = /^\/(.+)\/$/s.exec(text)?.[1];
  if (pattern !== undefined) query.set('regex', pattern);
  else if (text !== '') query.set('text', text);
  return query.toString();
}

const unique = (names: readonly string[]): string[] => [...new Set(names)];

export function LogsPage(): ReactElement {
  const { appId, base } = useAppPlace();
  const [search, setSearch] = useSearchParams();
  const [isFollowed, setFollowed] = useState(true);
  const [isPaused, setPaused] = useState(false);
  const [opened, setOpened] = useState<NumberedRow>();
  const [text, setText] = useState(search.get('text') ?? '');
  const [settledText] = useDebouncedValue(text.trim(), 300);
  const [status, setStatus] = useState(search.get('status') ?? '');
  const [settledStatus] = useDebouncedValue(status.trim(), 300);
  const [path, setPath] = useState(search.get('path') ?? '');
  const [settledPath] = useDebouncedValue(path.trim(), 300);
  const versions = useResource<{ versions: readonly VersionView[] }>(`${base}/versions`);

  const value = (name: string, otherwise = ''): string => search.get(name) ?? otherwise;
  const choose = (name: string, chosen: string): void => {
    const next = new URLSearchParams(search);
    if (chosen === '') next.delete(name);
    else next.set(name, chosen);
    if (name === 'service') next.delete('version');
    setSearch(next, { replace: true });
  };
  const level = LEVELS.find((each) => each.value === value('level'))?.value ?? 'DEFAULT';
  const span = SPANS.find((each) => each.value === value('since'))?.value ?? '';
  // From when it is chosen: it must not move while the log is read.
  const sinceMs = useMemo(() => (span === '' ? undefined : nowMs() - (SPANS_MS[span] ?? 0)), [span]);
  const filters: Filters = {
    ...{ source: value('source', 'all'), service: value('service'), version: value('version') },
    ...{ severity: level, text: settledText, status: settledStatus, path: settledPath, sinceMs },
  };
  const tail = useLogTail(`${base}/logs?${queryOf(filters, isFollowed)}`, { isFollowed, isPaused });
  const { rows } = tail;

  const all = versions.data?.versions ?? [];
  const services = unique(all.map(({ service }) => service));
  const names = unique(all.filter(({ service }) => filters.service === '' || service === filters.service).map(({ version }) => version));
  const isFiltered =
    filters.source !== 'all' ||
    [filters.service, filters.version, settledText, settledStatus, settledPath, span].some((each) => each !== '') ||
    level !== 'DEFAULT';

  return (
    <Page
      title="Logs"
      of={appId}
      actions={
        <>
          <Switch label="Follow" checked={isFollowed} onChange={(event) => setFollowed(event.currentTarget.checked)} />
          <Button
            size="sm"
            variant="default"
            disabled={!isFollowed}
            leftSection={isPaused ? <IconPlayerPlay size={16} aria-hidden /> : <IconPlayerPause size={16} aria-hidden />}
            onClick={() => setPaused(!isPaused)}
          >
            {isPaused ? (tail.heldBack > 0 ? `Go on (${countText(tail.heldBack)} new)` : 'Go on') : 'Pause'}
          </Button>
        </>
      }
    >
      <search className="form-row log-filters" aria-label="Filters of the log">
        <TextInput
          label="Text"
          placeholder="In a row, or /pattern/"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <NativeSelect
          label="Source"
          data={SOURCES}
          value={filters.source}
          onChange={(event) => choose('source', event.currentTarget.value)}
        />
        <NativeSelect label="Level" data={LEVELS} value={level} onChange={(event) => choose('level', event.currentTarget.value)} />
        <NativeSelect label="Since" data={SPANS} value={span} onChange={(event) => choose('since', event.currentTarget.value)} />
        <TextInput label="Status" placeholder="5xx or >=400" value={status} onChange={(event) => setStatus(event.currentTarget.value)} />
        <TextInput label="Path" placeholder="/api/*" value={path} onChange={(event) => setPath(event.currentTarget.value)} />
        <NativeSelect
          label="Service"
          data={[{ value: '', label: 'All' }, ...services]}
          value={filters.service}
          onChange={(event) => choose('service', event.currentTarget.value)}
        />
        <NativeSelect
          label="Version"
          data={[{ value: '', label: 'All' }, ...names]}
          value={filters.version}
          onChange={(event) => choose('version', event.currentTarget.value)}
        />
      </search>
      {tail.failure !== undefined && <FailureAlert failure={tail.failure} />}
      <Panel isFlush>
        {rows.length === 0 ? (
          tail.state === 'connecting' ? (
            <Text p="md" c="dimmed" role="status">
              Reading …
            </Text>
          ) : (
            <NothingYet
              icon={<IconListDetails />}
              title={isFiltered ? 'No row fits the filters' : 'Nothing logged yet'}
              command={isFiltered ? undefined : `npx appengine logs tail --app ${appId}`}
            >
              {isFiltered
                ? 'Widen the filters; new rows that fit appear by themselves.'
                : 'Open the app: each request leaves a row here, and so does what it prints.'}
            </NothingYet>
          )
        ) : (
          <LogList rows={rows} onOpen={setOpened} />
        )}
      </Panel>
      <Text size="xs" c="dimmed">
        {countText(rows.length)} rows{isFollowed ? (isPaused ? ', paused' : ', following') : ''}. The page keeps the last{' '}
        {countText(LOG_ROWS_MAX)}.
      </Text>
      <Drawer
        opened={opened !== undefined}
        onClose={() => setOpened(undefined)}
        position="right"
        size="lg"
        title="Log row"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {opened !== undefined && (
          <>
            {opened.row.kind === 'app' && <CodeBlock label="Text of the row" text={opened.row.text} isCopyable />}
            {opened.row.kind === 'app' && opened.row.fields !== undefined && (
              <CodeBlock label="Fields of the row" text={JSON.stringify(opened.row.fields, undefined, 2)} isCopyable />
            )}
            <DetailList details={detailsOf(opened.row)} />
          </>
        )}
      </Drawer>
    </Page>
  );
}
