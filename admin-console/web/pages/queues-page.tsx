// Task queues, and the tasks of the one that is chosen.
import { Button, UnstyledButton } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay, IconSubtask, IconTrash } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { useSearchParams } from 'react-router';
import { type QueueView, type TaskView } from '../../../sdk/contract/admin/tasks.ts';
import { apiPath } from '../api/api-client.ts';
import { useAction, useResource } from '../api/resource.tsx';
import { confirmFirst } from '../parts/confirmation.tsx';
import { DangerButton } from '../parts/danger-button.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { RelativeTime } from '../parts/relative-time.tsx';
import { RowMenu } from '../parts/row-menu.tsx';
import { Shown } from '../parts/shown.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { bytesText, countText } from '../text/number-text.ts';
import { useAppPlace } from './app-place.ts';

const REFRESH_MS = 2_000;
const TASKS_SHOWN_MAX = 100;

function QueueActions({ base, queue }: { readonly base: string; readonly queue: QueueView }): ReactElement {
  const at = `${base}${apiPath`/queues/${queue.name}`}`;
  const touches = [`${base}/queues`];
  const pause = useAction((api, verb: 'pause' | 'resume') => api.send('POST', `${at}/${verb}`), {
    touches,
    done: (_, verb) => (verb === 'pause' ? `${queue.name} is paused: no task starts until it is resumed.` : `${queue.name} runs again.`),
  });
  const purge = useAction((api) => api.send<{ purged: number }>('POST', `${at}/purge`), {
    touches,
    done: ({ purged }) => `${countText(purged)} ${purged === 1 ? 'task' : 'tasks'} of ${queue.name} removed.`,
  });
  return (
    <>
      <Button
        size="xs"
        variant="default"
        leftSection={queue.isPaused ? <IconPlayerPlay size={15} aria-hidden /> : <IconPlayerPause size={15} aria-hidden />}
        loading={pause.isPending}
        onClick={() => pause.mutate(queue.isPaused ? 'resume' : 'pause')}
      >
        {queue.isPaused ? 'Resume' : 'Pause'}
      </Button>
      <DangerButton
        size="xs"
        disabled={queue.tasks === 0}
        asks={{
          title: `Purge the queue ${queue.name}?`,
          text: `All ${countText(queue.tasks)} tasks are removed and will never run. This cannot be undone.`,
          verb: 'Purge queue',
          onConfirm: () => purge.mutate(undefined),
        }}
      >
        Purge
      </DangerButton>
    </>
  );
}

function Tasks({ base, queue }: { readonly base: string; readonly queue: QueueView }): ReactElement {
  const at = `${base}${apiPath`/queues/${queue.name}/tasks`}`;
  const tasks = useResource<{ tasks: readonly TaskView[] }>(`${at}?limit=${TASKS_SHOWN_MAX}`, { refetchMs: REFRESH_MS });
  const touches = [`${base}/queues`];
  const run = useAction((api, name: string) => api.send('POST', `${at}${apiPath`/${name}/run`}`), {
    touches,
    done: (_, name) => `${name} runs as soon as the queue’s rate allows.`,
  });
  const remove = useAction((api, name: string) => api.send('DELETE', `${at}${apiPath`/${name}`}`), {
    touches,
    done: (_, name) => `${name} is deleted.`,
  });
  const askToDelete = (name: string): void =>
    confirmFirst({
      title: `Delete task ${name}?`,
      text: 'It will never run. This cannot be undone.',
      verb: 'Delete task',
      onConfirm: () => remove.mutate(name),
    });
  return (
    <Panel
      isFlush
      title={
        <>
          Tasks of <span className="mono">{queue.name}</span>
        </>
      }
      description={
        queue.tasks > TASKS_SHOWN_MAX ? `The first ${TASKS_SHOWN_MAX} of ${countText(queue.tasks)}, soonest first` : 'Soonest first'
      }
      actions={<QueueActions base={base} queue={queue} />}
    >
      <Shown resource={tasks}>
        {({ tasks: all }) =>
          all.length === 0 ? (
            <NothingYet icon={<IconSubtask />} title="This queue is empty">
              Tasks that the app adds with <code>taskQueue.add()</code> wait here until they run.
            </NothingYet>
          ) : (
            <DataTable
              label={`Tasks of ${queue.name}`}
              rows={all}
              keyOf={({ name }) => name}
              columns={[
                { title: 'Task', isHeader: true, cell: ({ name }) => <span className="mono">{name}</span> },
                { title: 'State', cell: ({ state }) => <StateBadge tone={state === 'running' ? 'busy' : 'quiet'}>{state}</StateBadge> },
                { title: 'Request', cell: ({ method, url }) => <span className="mono">{`${method} ${url}`}</span> },
                { title: 'Runs', cell: ({ etaMs }) => <RelativeTime atMs={etaMs} /> },
                { title: 'Created', cell: ({ createdAtMs }) => <RelativeTime atMs={createdAtMs} /> },
                { title: 'Retries', isNumber: true, cell: ({ retries }) => countText(retries) },
                { title: 'Last status', isNumber: true, cell: ({ lastStatus }) => lastStatus ?? '–' },
                { title: 'Size', isNumber: true, cell: ({ bytes }) => bytesText(bytes) },
                {
                  title: 'Actions',
                  hidesTitle: true,
                  isNumber: true,
                  cell: ({ name }) => (
                    <RowMenu
                      name={`task ${name}`}
                      actions={[
                        { title: 'Run now', icon: IconPlayerPlay, act: () => run.mutate(name) },
                        { title: 'Delete', icon: IconTrash, act: () => askToDelete(name), isDanger: true },
                      ]}
                    />
                  ),
                },
              ]}
            />
          )
        }
      </Shown>
    </Panel>
  );
}

export function QueuesPage(): ReactElement {
  const { appId, base } = useAppPlace();
  const [search, setSearch] = useSearchParams();
  const queues = useResource<{ queues: readonly QueueView[] }>(`${base}/queues`, { refetchMs: REFRESH_MS });
  return (
    <Page title="Task queues" of={appId} description="Work that the app put aside for later. Rates and retries come from queue.yaml.">
      <Shown resource={queues}>
        {({ queues: all }) => {
          if (all.length === 0) {
            return (
              <Panel>
                <NothingYet icon={<IconSubtask />} title="No queue yet" command={`npx appengine deploy . --app ${appId}`}>
                  The queue “default” appears with the first task; name others in queue.yaml and deploy it.
                </NothingYet>
              </Panel>
            );
          }
          const chosen = all.find(({ name }) => name === search.get('queue')) ?? all[0];
          return (
            <>
              <Panel isFlush>
                <DataTable
                  label="Queues"
                  rows={all}
                  keyOf={({ name }) => name}
                  columns={[
                    {
                      title: 'Queue',
                      isHeader: true,
                      cell: ({ name }) => (
                        <UnstyledButton
                          className="text-link mono"
                          onClick={() => setSearch({ queue: name })}
                          aria-pressed={name === chosen?.name}
                        >
                          {name}
                        </UnstyledButton>
                      ),
                    },
                    {
                      title: 'State',
                      cell: ({ isPaused }) => <StateBadge tone={isPaused ? 'warn' : 'good'}>{isPaused ? 'Paused' : 'Running'}</StateBadge>,
                    },
                    { title: 'Rate', isNumber: true, cell: ({ rate }) => rate },
                    { title: 'Bucket', isNumber: true, cell: ({ bucketSize }) => countText(bucketSize) },
                    { title: 'Tasks', isNumber: true, cell: ({ tasks }) => countText(tasks) },
                    {
                      title: 'Running',
                      isNumber: true,
                      cell: ({ running, concurrentRequestsMax }) => `${countText(running)} of ${countText(concurrentRequestsMax)}`,
                    },
                    { title: 'Oldest', cell: ({ oldestEtaMs }) => (oldestEtaMs === undefined ? '–' : <RelativeTime atMs={oldestEtaMs} />) },
                    { title: 'Done in the last minute', isNumber: true, cell: ({ executedLastMinute }) => countText(executedLastMinute) },
                    { title: 'Failed', isNumber: true, cell: ({ failedLastMinute }) => countText(failedLastMinute) },
                  ]}
                />
              </Panel>
              {chosen !== undefined && <Tasks key={chosen.name} base={base} queue={chosen} />}
            </>
          );
        }}
      </Shown>
    </Page>
  );
}
