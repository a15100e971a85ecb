import { Text } from '@mantine/core';
import { type ReactElement } from 'react';
import { type QuotasView, type QuotaView } from '../../../sdk/contract/admin/usage.ts';
import { useResource } from '../api/resource.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { QuotaBar } from '../parts/quota-bar.tsx';
import { RelativeTime } from '../parts/relative-time.tsx';
import { Shown } from '../parts/shown.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { shareText } from '../text/number-text.ts';
import { absoluteText, localZoneText, platformMidnightText } from '../text/time-text.ts';
import { amountText } from '../text/usage-text.ts';
import { useAppPlace } from './app-place.ts';

/** Against where it stops, or against what is free when only the budget ends it. */
const shareOf = ({ used, limit, free }: QuotaView): number => used / Math.max(1, limit ?? free);

function QuotaState({ quota }: { readonly quota: QuotaView }): ReactElement {
  if (quota.isExceeded) return <StateBadge tone="bad">Exceeded</StateBadge>;
  return quota.used > quota.free ? <StateBadge tone="warn">Okay, billed</StateBadge> : <StateBadge tone="good">Okay</StateBadge>;
}

export function QuotasPage(): ReactElement {
  const { appId, base } = useAppPlace();
  const quotas = useResource<QuotasView>(`${base}/quotas`, { refetchMs: 5_000 });
  const { data } = quotas;
  return (
    <Page
      title="Quotas"
      of={appId}
      description={
        data === undefined ? (
          'What the app used today, and what it may use.'
        ) : (
          <>
            Reset <RelativeTime atMs={data.resetsAtMs} />: {absoluteText(data.resetsAtMs)} {localZoneText(data.resetsAtMs)} here,{' '}
            {platformMidnightText(data.day, data.resetsAtMs)} on the platform
          </>
        )
      }
    >
      <Panel isFlush>
        <Shown resource={quotas}>
          {({ quotas: all }) => (
            <DataTable
              label="Quotas of today"
              rows={all}
              keyOf={({ resource }) => resource}
              columns={[
                { title: 'Resource', isHeader: true, cell: ({ title }) => title },
                {
                  title: 'Used',
                  cell: (quota) => (
                    <span className="share">
                      <QuotaBar share={shareOf(quota)} {...(quota.isExceeded ? { tone: 'bad' as const } : {})} />
                      <span>{shareText(Math.min(9.99, shareOf(quota)))}</span>
                    </span>
                  ),
                },
                { title: 'Amount', isNumber: true, cell: ({ resource, used }) => amountText(resource, used) },
                { title: 'Free each day', isNumber: true, cell: ({ resource, free }) => amountText(resource, free) },
                {
                  title: 'Limit',
                  isNumber: true,
                  cell: ({ resource, limit }) => (limit === undefined ? 'The budget' : amountText(resource, limit)),
                },
                { title: 'State', cell: (quota) => <QuotaState quota={quota} /> },
              ]}
            />
          )}
        </Shown>
      </Panel>
      <Text size="sm" c="dimmed">
        Over a quota, requests or calls are refused with 503 until the reset; data stays. Enable billing to go on beyond what is free.
      </Text>
    </Page>
  );
}
