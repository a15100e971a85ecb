// Services, their versions, and which of them the traffic goes to.
import { Anchor, Button, Modal, Skeleton, Text } from '@mantine/core';
import { IconArrowBackUp, IconArrowsSplit2, IconExternalLink, IconRoute, IconTrash, IconVersions } from '@tabler/icons-react';
import { type ReactElement, useState } from 'react';
import { type ServiceView, type AppView, type VersionView } from '../../../sdk/contract/admin/admin.ts';
import { type MigrationView } from '../../../sdk/contract/admin/routing.ts';
import { apiPath } from '../api/api-client.ts';
import { useAction, useResource } from '../api/resource.tsx';
import { confirmFirst } from '../parts/confirmation.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { QuotaBar } from '../parts/quota-bar.tsx';
import { RelativeTime } from '../parts/relative-time.tsx';
import { RowMenu } from '../parts/row-menu.tsx';
import { Shown } from '../parts/shown.tsx';
import { countText, shareText } from '../text/number-text.ts';
import { previousVersion } from '../text/traffic-split.ts';
import { useAppPlace } from './app-place.ts';
import { TrafficEditor } from './traffic-editor.tsx';

interface ServicePanelProps {
  readonly base: string;
  readonly service: ServiceView | undefined;
  readonly name: string;
  /** Newest first. */
  readonly versions: readonly VersionView[];
}

/** How far a gradual move of traffic is, or why it went back. */
function MigrationNote({ migration }: { readonly migration: MigrationView }): ReactElement | null {
  const { to, state, progress, reason = '' } = migration;
  if (state === 'done') return null;
  return (
    <Text size="sm" role="status" c={state === 'rolled-back' ? 'var(--mantine-color-error)' : undefined}>
      {state === 'running'
        ? `${shareText(progress)} of the traffic has moved to ${to}; the rest follows.`
        : `Rolled back from ${to}: ${reason}.`}
    </Text>
  );
}

function ServicePanel({ base, name, service, versions }: ServicePanelProps): ReactElement {
  const [isSplitting, setSplitting] = useState(false);
  const at = `${base}${apiPath`/services/${name}`}`;
  const move = useAction((api, version: string) => api.send('PUT', `${at}/traffic`, { split: { [version]: 1 } }), {
    touches: [base],
    done: (_, version) => `All traffic of ${name} goes to ${version}.`,
  });
  const remove = useAction((api, version: string) => api.send('DELETE', `${at}${apiPath`/versions/${version}`}`), {
    touches: [base],
    done: (_, version) => `Version ${version} is deleted.`,
  });
  const previous = previousVersion(versions);

  const askToMove = (version: string): void =>
    confirmFirst({
      title: `Send all traffic of ${name} to ${version}?`,
      text: `${version} then answers every request of this service. Requests under way finish where they are; the other versions stay.`,
      verb: 'Move all traffic',
      isDanger: false,
      onConfirm: () => move.mutate(version),
    });
  const askToDelete = (version: string): void =>
    confirmFirst({
      title: `Delete version ${version}?`,
      text: 'Its instances end and its files are removed. To have it again, deploy it again. What it wrote to the datastore stays.',
      verb: 'Delete version',
      onConfirm: () => remove.mutate(version),
    });

  return (
    <Panel
      isFlush
      title={<span className="mono">{name}</span>}
      description={
        service !== undefined && (
          <>
            <Anchor href={service.url} target="_blank" rel="noreferrer" size="sm" className="breaks">
              {service.url} <IconExternalLink size={13} aria-label="(opens in a new tab)" />
            </Anchor>
            {service.migration !== undefined && <MigrationNote migration={service.migration} />}
          </>
        )
      }
      actions={
        <>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconArrowBackUp size={15} aria-hidden />}
            disabled={previous === undefined}
            onClick={() => previous !== undefined && askToMove(previous.version)}
            aria-label={
              previous === undefined ? `Roll ${name} back: there is no older version` : `Roll ${name} back to ${previous.version}`
            }
          >
            Roll back
          </Button>
          <Button
            size="xs"
            leftSection={<IconArrowsSplit2 size={15} aria-hidden />}
            disabled={versions.length < 2}
            onClick={() => setSplitting(true)}
            aria-label={`Split the traffic of ${name}`}
          >
            Split traffic
          </Button>
        </>
      }
    >
      <DataTable
        label={`Versions of ${name}`}
        rows={versions}
        keyOf={({ version }) => version}
        columns={[
          { title: 'Version', isHeader: true, cell: ({ version }) => <span className="mono">{version}</span> },
          {
            title: 'Traffic',
            cell: ({ trafficShare }) => (
              <span className="share">
                <QuotaBar share={trafficShare} tone="good" />
                <span>{shareText(trafficShare)}</span>
              </span>
            ),
          },
          { title: 'Instances', isNumber: true, cell: ({ instances }) => countText(instances) },
          { title: 'Runtime', cell: ({ runtime }) => runtime },
          { title: 'Deployed', cell: ({ createdAtMs }) => <RelativeTime atMs={createdAtMs} /> },
          {
            title: 'Actions',
            hidesTitle: true,
            isNumber: true,
            cell: ({ version, url, trafficShare }) => (
              <RowMenu
                name={`version ${version} of ${name}`}
                actions={[
                  { title: 'Open', icon: IconExternalLink, act: url },
                  { title: 'Send all traffic here', icon: IconRoute, act: () => askToMove(version), isDisabled: trafficShare === 1 },
                  { title: 'Delete', icon: IconTrash, act: () => askToDelete(version), isDanger: true, isDisabled: trafficShare > 0 },
                ]}
              />
            ),
          },
        ]}
      />
      <Modal opened={isSplitting} onClose={() => setSplitting(false)} title={`Split the traffic of ${name}`} size="lg">
        <TrafficEditor base={base} service={name} versions={versions} onClose={() => setSplitting(false)} />
      </Modal>
    </Panel>
  );
}

export function VersionsPage(): ReactElement {
  const { appId, base } = useAppPlace();
  const app = useResource<AppView>(base, { refetchMs: 3_000 });
  const versions = useResource<{ versions: readonly VersionView[] }>(`${base}/versions`, { refetchMs: 3_000 });
  return (
    <Page title="Versions" of={appId} description="Each deploy makes a version. Traffic goes to one, or is split between several.">
      <Shown resource={versions} waiting={<Skeleton height={220} radius="md" />}>
        {({ versions: all }) => {
          if (all.length === 0) {
            return (
              <Panel>
                <NothingYet icon={<IconVersions />} title="No version yet" command={`npx appengine deploy . --app ${appId}`}>
                  Deploy the folder of your app.
                </NothingYet>
              </Panel>
            );
          }
          const names = [...new Set(all.map(({ service }) => service))].sort(
            (a, b) => Number(b === 'default') - Number(a === 'default') || a.localeCompare(b),
          );
          return names.map((name) => (
            <ServicePanel
              key={name}
              base={base}
              name={name}
              service={app.data?.services.find(({ service }) => service === name)}
              versions={all.filter(({ service }) => service === name).sort((a, b) => b.createdAtMs - a.createdAtMs)}
            />
          ));
        }}
      </Shown>
    </Page>
  );
}
