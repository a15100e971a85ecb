import { Text } from '@mantine/core';
import { IconPlayerStop, IconServer } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { type AdminInstanceView } from '../../../sdk/contract/admin/admin.ts';
import { apiPath } from '../api/api-client.ts';
import { useAction, useResource } from '../api/resource.tsx';
import { confirmFirst } from '../parts/confirmation.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { Age } from '../parts/relative-time.tsx';
import { RowMenu } from '../parts/row-menu.tsx';
import { Shown } from '../parts/shown.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { bytesText, durationText } from '../text/number-text.ts';
import { useAppPlace } from './app-place.ts';
import { instanceTone } from './instance-tone.ts';

export function InstancesPage(): ReactElement {
  const { appId, base } = useAppPlace();
  const instances = useResource<{ instances: readonly AdminInstanceView[] }>(`${base}/instances`, { refetchMs: 2_000 });
  const stop = useAction((api, id: string) => api.send('DELETE', `${base}${apiPath`/instances/${id}`}`), {
    touches: [`${base}/instances`],
    done: (_, id) => `Instance ${id} drains and then ends.`,
  });
  const askToStop = (id: string): void =>
    confirmFirst({
      title: `Stop instance ${id}?`,
      text: 'It finishes its requests and gets no new ones; the next request that needs it starts another.',
      verb: 'Stop instance',
      onConfirm: () => stop.mutate(id),
    });
  return (
    <Page
      title="Instances"
      of={appId}
      description="Processes that answer requests now. They start as load rises, and end when there is none."
    >
      <Panel isFlush>
        <Shown resource={instances}>
          {({ instances: all }) =>
            all.length === 0 ? (
              <NothingYet icon={<IconServer />} title="No instance runs">
                The app is scaled down to zero and costs nothing. The next request starts an instance; open the app to see it.
              </NothingYet>
            ) : (
              <DataTable
                label="Instances"
                rows={all}
                keyOf={({ id }) => id}
                columns={[
                  { title: 'Instance', isHeader: true, cell: ({ id }) => <span className="mono">{id}</span> },
                  { title: 'Service', cell: ({ service }) => <span className="mono">{service}</span> },
                  { title: 'Version', cell: ({ version }) => <span className="mono">{version}</span> },
                  { title: 'State', cell: ({ state }) => <StateBadge tone={instanceTone(state)}>{state}</StateBadge> },
                  { title: 'Age', isNumber: true, cell: ({ startedAtMs }) => <Age sinceMs={startedAtMs} /> },
                  { title: 'Start took', isNumber: true, cell: ({ readyMs }) => (readyMs === undefined ? '–' : durationText(readyMs)) },
                  {
                    title: 'CPU time',
                    isNumber: true,
                    cell: ({ cpuMicros }) => (cpuMicros === undefined ? '–' : durationText(cpuMicros / 1_000)),
                  },
                  {
                    title: 'Memory',
                    isNumber: true,
                    cell: ({ memoryBytes }) => (memoryBytes === undefined ? '–' : bytesText(memoryBytes)),
                  },
                  { title: 'Process', isNumber: true, cell: ({ pid }) => (pid === undefined ? '–' : <span className="mono">{pid}</span>) },
                  {
                    title: 'Actions',
                    hidesTitle: true,
                    isNumber: true,
                    cell: ({ id }) => (
                      <RowMenu
                        name={`instance ${id}`}
                        actions={[{ title: 'Stop', icon: IconPlayerStop, act: () => askToStop(id), isDanger: true }]}
                      />
                    ),
                  },
                ]}
              />
            )
          }
        </Shown>
      </Panel>
      <Text size="xs" c="dimmed">
        CPU time and memory are read from the instance’s control group, so they count all of its processes.
      </Text>
    </Page>
  );
}
