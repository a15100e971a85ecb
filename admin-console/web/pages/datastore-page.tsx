// The datastore of an app: its kinds, GQL over them, its entities one by one, and its indexes.
import { Button, Checkbox, Drawer, Group, NativeSelect, Skeleton, Stack, Tabs, Text } from '@mantine/core';
import { IconDatabase, IconPlayerPlay, IconPlus } from '@tabler/icons-react';
import { lazy, type ReactElement, Suspense, useState } from 'react';
import { useSearchParams } from 'react-router';
import { type EntityView, type GqlRequestView, type KindView } from '../../../sdk/contract/admin/data.ts';
import { type IndexView } from '../../../sdk/contract/admin/indexes.ts';
import { apiPath } from '../api/api-client.ts';
import { useResource } from '../api/resource.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { Shown } from '../parts/shown.tsx';
import { StateBadge, type Tone } from '../parts/state-badge.tsx';
import { useAppPlace } from './app-place.ts';
import { EntityEditor } from './entity-editor.tsx';
import { QueryResults } from './query-results.tsx';

const GqlEditor = lazy(async () => ({ default: (await import('../parts/gql-editor.tsx')).GqlEditor }));

const PAGE_SIZES = ['20', '50', '100', '200'];
const INDEX_TONES: Readonly<Record<IndexView['state'], Tone>> = {
  serving: 'good',
  building: 'busy',
  error: 'bad',
  deleting: 'busy',
};

const selectAll = (kind: string): string => `SELECT * FROM ${/^[A-Za-z_$][\w$]*$/.test(kind) ? kind : `\`${kind.replaceAll('`', '``')}\``}`;

function progressOf({ state, done, estimate, reason }: IndexView): string {
  if (state === 'building' && estimate > 0) return `${done} of about ${Math.max(done, estimate)} entities`;
  if (state === 'deleting') return `${done} rows gone`;
  return reason ?? '';
}

type Opened = { readonly entity?: EntityView };

function Indexes({ base }: { readonly base: string }): ReactElement {
  const indexes = useResource<{ indexes: readonly IndexView[] }>(`${base}/datastore/indexes`, { refetchMs: 3_000 });
  return (
    <Panel isFlush>
      <Shown resource={indexes}>
        {({ indexes: all }) =>
          all.length === 0 ? (
            <NothingYet icon={<IconDatabase />} title="No composite index">
              Queries on single properties need none. For others, list them in index.yaml; a query that lacks one says which lines.
            </NothingYet>
          ) : (
            <DataTable
              label="Composite indexes"
              rows={all}
              keyOf={({ id }) => String(id)}
              columns={[
                { title: 'Kind', isHeader: true, cell: ({ kind }) => <span className="mono">{kind}</span> },
                {
                  title: 'Properties',
                  cell: ({ properties }) => (
                    <span className="mono">{properties.map(({ name, direction }) => `${name} ${direction}`).join(', ')}</span>
                  ),
                },
                { title: 'Ancestor', cell: ({ ancestor }) => (ancestor ? 'yes' : 'no') },
                { title: 'State', cell: ({ state }) => <StateBadge tone={INDEX_TONES[state]}>{state}</StateBadge> },
                { title: 'Progress', cell: progressOf },
              ]}
            />
          )
        }
      </Shown>
    </Panel>
  );
}

interface KindListProps {
  readonly kinds: readonly KindView[];
  readonly chosen: string | undefined;
  readonly onChoose: (kind: string) => void;
}

function KindList({ kinds, chosen, onChoose }: KindListProps): ReactElement {
  if (kinds.length === 0) {
    return (
      <Text size="sm" c="dimmed" p="md">
        No kind in this namespace yet.
      </Text>
    );
  }
  return (
    <ul className="plain-list kind-list" aria-label="Kinds">
      {kinds.map(({ kind }) => (
        <li key={kind}>
          <button type="button" className="mono" aria-pressed={kind === chosen} onClick={() => onChoose(kind)}>
            {kind}
          </button>
        </li>
      ))}
    </ul>
  );
}

function Browser({ base, appId }: { readonly base: string; readonly appId: string }): ReactElement {
  const [search, setSearch] = useSearchParams();
  const namespace = search.get('namespace') ?? '';
  const ran = search.get('gql') ?? undefined;
  const namespaces = useResource<{ namespaces: readonly string[] }>(`${base}/datastore/namespaces`);
  const kinds = useResource<{ kinds: readonly KindView[] }>(`${base}/datastore/kinds${apiPath`?namespace=${namespace}`}`);
  const [explain, setExplain] = useState(false);
  const [pageSize, setPageSize] = useState('50');
  const [opened, setOpened] = useState<Opened>();
  const [runs, setRuns] = useState(0);
  const names = (kinds.data?.kinds ?? []).map(({ kind }) => kind);
  const [first] = names;
  const statement = ran ?? (first === undefined ? undefined : selectAll(first));
  const [typed, setTyped] = useState<string>();
  const text = typed ?? statement ?? '';
  const kind = names.find((name) => statement === selectAll(name));

  const run = (gql: string): void => {
    if (gql.trim() === '') return;
    setSearch({ ...(namespace === '' ? {} : { namespace }), gql });
    setTyped(gql);
    setRuns(runs + 1);
  };
  const request: GqlRequestView | undefined =
    statement === undefined
      ? undefined
      : { gql: statement, ...(namespace === '' ? {} : { namespace }), pageSize: Number(pageSize), ...(explain ? { explain } : {}) };

  return (
    <div className="datastore-panes">
      <Panel isFlush>
        <NativeSelect
          label="Namespace"
          p="md"
          data={[...new Set(['', namespace, ...(namespaces.data?.namespaces ?? [])])].map((each) => ({
            value: each,
            label: each === '' ? '(default)' : each,
          }))}
          value={namespace}
          onChange={(event) => {
            setTyped(undefined);
            setSearch(event.currentTarget.value === '' ? {} : { namespace: event.currentTarget.value });
          }}
        />
        <Shown resource={kinds}>
          {({ kinds: all }) => <KindList kinds={all} chosen={kind} onChoose={(chosen) => run(selectAll(chosen))} />}
        </Shown>
      </Panel>
      <Stack gap="md" miw={0}>
        <Panel>
          <Stack gap="sm">
            <Suspense fallback={<Skeleton height={66} />}>
              <GqlEditor value={text} kinds={names} onChange={setTyped} onRun={run} />
            </Suspense>
            <Group justify="space-between" gap="sm">
              <Group gap="md">
                <Button size="sm" leftSection={<IconPlayerPlay size={16} aria-hidden />} onClick={() => run(text)} title="Ctrl-Enter">
                  Run
                </Button>
                <Checkbox label="Explain" checked={explain} onChange={(event) => setExplain(event.currentTarget.checked)} />
                <NativeSelect
                  size="xs"
                  aria-label="Results of one page"
                  data={PAGE_SIZES.map((value) => ({ value, label: `${value} a page` }))}
                  value={pageSize}
                  onChange={(event) => setPageSize(event.currentTarget.value)}
                />
              </Group>
              <Button size="sm" variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setOpened({})}>
                New entity
              </Button>
            </Group>
          </Stack>
        </Panel>
        {request === undefined ? (
          kinds.data !== undefined && (
            <Panel>
              <NothingYet icon={<IconDatabase />} title="Nothing stored yet">
                Entities that {appId} puts into the datastore appear here. To try it out, make one with “New entity”.
              </NothingYet>
            </Panel>
          )
        ) : (
          <QueryResults key={JSON.stringify([request, runs])} base={base} request={request} onOpen={(entity) => setOpened({ entity })} />
        )}
      </Stack>
      <Drawer
        opened={opened !== undefined}
        onClose={() => setOpened(undefined)}
        position="right"
        size="xl"
        title={opened?.entity === undefined ? 'New entity' : 'Edit entity'}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {opened !== undefined && (
          <EntityEditor
            base={base}
            entity={opened.entity}
            namespace={opened.entity?.key.partitionId?.namespaceId ?? namespace}
            kind={kind ?? ''}
            onClose={() => setOpened(undefined)}
          />
        )}
      </Drawer>
    </div>
  );
}

export function DatastorePage(): ReactElement {
  const { appId, base } = useAppPlace();
  return (
    <Page title="Datastore" of={appId}>
      <Tabs defaultValue="entities" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="entities">Entities</Tabs.Tab>
          <Tabs.Tab value="indexes">Indexes</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="entities">
          <Browser key={appId} base={base} appId={appId} />
        </Tabs.Panel>
        <Tabs.Panel value="indexes">
          <Indexes base={base} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
