// The log of an app: requests and what its instances wrote, filtered, and followed as it grows.
import { Button, Drawer, NativeSelect, Switch, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconListDetails, IconPlayerPause, IconPlayerPlay, IconSearch } from '@tabler/icons-react';
import { type ReactElement, useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';
import { type VersionView } from '../../../sdk/contract/admin/admin.ts';
import { type LogRow } from '../../../sdk/contract/admin/logs.ts';
import { LOG_ROWS_MAX, type NumberedRow, useLogTail } from '../api/log-tail.ts';
import { useResource } from '../api/resource.tsx';
import { CodeBlock } from '../parts/code-block.tsx';
import { type Detail, DetailList } from '../parts/detail-list.tsx';
import { FailureAlert } from '../parts/failure.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { isAtLeast, type LogLevel } from '../text/log-level.ts';
import { bytesText, countText, durationText } from '../text/number-text.ts';
import { absoluteText } from '../text/time-text.ts';
import { useAppPlace } from './app-place.ts';
import { LogList } from './log-list.tsx';

const LINES = 500;
const SOURCES = [
  { value: 'all', label: 'Requests and app' },
  { value: 'request', label: 'Requests' },
  { value: 'app', label: 'App' },
];
const LEVELS: { value: LogLevel; label: string }[] = [
  { value: 'info', label: 'Everything' },
  { value: 'warning', label: '4xx and worse' },
  { value: 'error', label: '5xx and stderr' },
];

function detailsOf(row: LogRow): readonly Detail[] {
  const place: Detail[] = [
    ['Time', `${absoluteText(row.atMs)} (${new Date(row.atMs).toISOString()})`],
    ['Service', <code key="service">{row.service}</code>],
    ['Version', <code key="version">{row.version}</code>],
    ['Instance', <code key="instance">{row.instanceId ?? '–'}</code>],
  ];
  if (row.kind === 'app') return [...place, ['Stream', row.stream]];
  return [
    ['Request', <code key="request">{`${row.method} ${row.target}`}</code>],
    ['Status', String(row.status)],
    ...place,
    ['Request id', <code key="id">{row.requestId}</code>],
    ['Latency', durationText(row.latencyMs)],
    ['Response', bytesText(row.responseBytes)],
    ['Started its instance', row.isLoadingRequest ? 'yes' : 'no'],
    ...(row.errorCode === undefined ? [] : [['Error', <code key="error">{row.errorCode}</code>] as const]),
  ];
}

function queryOf(
  filters: { readonly source: string; readonly service: string; readonly version: string; readonly text: string },
  isFollowed: boolean,
): string {
  const query = new URLSearchParams({ lines: String(LINES), source: filters.source });
  if (isFollowed) query.set('follow', '1');
  if (filters.service !== '') query.set('service', filters.service);
  if (filters.version !== '') query.set('version', filters.version);
  if (filters.text !== '') query.set('text', filters.text);
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
  const versions = useResource<{ versions: readonly VersionView[] }>(`${base}/versions`);

  const value = (name: string, otherwise = ''): string => search.get(name) ?? otherwise;
  const choose = (name: string, chosen: string): void => {
    const next = new URLSearchParams(search);
    if (chosen === '') next.delete(name);
    else next.set(name, chosen);
    if (name === 'service') next.delete('version');
    setSearch(next, { replace: true });
  };
  const filters = { source: value('source', 'all'), service: value('service'), version: value('version'), text: settledText };
  const level = LEVELS.find((each) => each.value === value('level'))?.value ?? 'info';
  const tail = useLogTail(`${base}/logs?${queryOf(filters, isFollowed)}`, { isFollowed, isPaused });
  const rows = useMemo(() => (level === 'info' ? tail.rows : tail.rows.filter(({ row }) => isAtLeast(row, level))), [tail.rows, level]);

  const all = versions.data?.versions ?? [];
  const services = unique(all.map(({ service }) => service));
  const names = unique(all.filter(({ service }) => filters.service === '' || service === filters.service).map(({ version }) => version));
  const isFiltered = filters.source !== 'all' || filters.service !== '' || filters.version !== '' || settledText !== '' || level !== 'info';

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
          placeholder="In any part of a row"
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
            <DetailList details={detailsOf(opened.row)} />
          </>
        )}
      </Drawer>
    </Page>
  );
}
