import { Button } from '@mantine/core';
import { IconCalendarTime, IconPlayerPlay } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { type CronJobView } from '../../../sdk/contract/admin/tasks.ts';
import { apiPath } from '../api/api-client.ts';
import { useAction, useResource } from '../api/resource.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { RelativeTime } from '../parts/relative-time.tsx';
import { Shown } from '../parts/shown.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { durationText } from '../text/number-text.ts';
import { useAppPlace } from './app-place.ts';

const isSuccess = (status: number): boolean => status >= 200 && status < 300;

function LastRun({ job }: { readonly job: CronJobView }): ReactElement | string {
  if (job.lastRunAtMs === undefined) return 'Never';
  return (
    <span className="inline">
      <RelativeTime atMs={job.lastRunAtMs} />
      {job.lastStatus !== undefined && <StateBadge tone={isSuccess(job.lastStatus) ? 'good' : 'bad'}>{String(job.lastStatus)}</StateBadge>}
    </span>
  );
}

export function CronPage(): ReactElement {
  const { appId, base } = useAppPlace();
  const cron = useResource<{ jobs: readonly CronJobView[] }>(`${base}/cron`, { refetchMs: 3_000 });
  const run = useAction((api, id: string) => api.send<CronJobView>('POST', `${base}${apiPath`/cron/${id}/run`}`), {
    touches: [`${base}/cron`],
    done: ({ url }) => `${url} was called.`,
  });
  return (
    <Page title="Cron" of={appId} description="Jobs that cron.yaml calls at their times.">
      <Panel isFlush>
        <Shown resource={cron}>
          {({ jobs }) =>
            jobs.length === 0 ? (
              <NothingYet icon={<IconCalendarTime />} title="No cron job" command={`npx appengine deploy . --app ${appId}`}>
                List jobs in cron.yaml beside app.yaml, each with a url and a schedule such as <code>every 10 minutes</code>, and deploy.
              </NothingYet>
            ) : (
              <DataTable
                label="Cron jobs"
                rows={jobs}
                keyOf={({ id }) => id}
                columns={[
                  {
                    title: 'Job',
                    isHeader: true,
                    cell: ({ description, url }) => (
                      <div className="two-lines">
                        <span className="mono">{url}</span>
                        <small>{description}</small>
                      </div>
                    ),
                  },
                  {
                    title: 'Schedule',
                    cell: ({ schedule, timezone }) => (
                      <div className="two-lines">
                        <span className="nowrap">{schedule}</span>
                        <small>{timezone}</small>
                      </div>
                    ),
                  },
                  { title: 'Target', cell: ({ target }) => <span className="mono">{target ?? 'default'}</span> },
                  { title: 'Next run', cell: ({ nextRunAtMs }) => (nextRunAtMs === undefined ? '–' : <RelativeTime atMs={nextRunAtMs} />) },
                  { title: 'Last run', cell: (job) => <LastRun job={job} /> },
                  {
                    title: 'Took',
                    isNumber: true,
                    cell: ({ lastLatencyMs }) => (lastLatencyMs === undefined ? '–' : durationText(lastLatencyMs)),
                  },
                  {
                    title: 'Actions',
                    hidesTitle: true,
                    isNumber: true,
                    cell: ({ id, url }) => (
                      <Button
                        size="compact-sm"
                        variant="default"
                        leftSection={<IconPlayerPlay size={14} aria-hidden />}
                        loading={run.isPending && run.variables === id}
                        onClick={() => run.mutate(id)}
                        aria-label={`Run ${url} now`}
                      >
                        Run now
                      </Button>
                    ),
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
