import { Anchor, Group, Paper, SimpleGrid, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconApps, IconExternalLink, IconSearch } from '@tabler/icons-react';
import { type ReactElement, useState } from 'react';
import { Link } from 'react-router';
import { type AppView, type ServiceView } from '../../../sdk/contract/admin/admin.ts';
import { useResource } from '../api/resource.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { RelativeTime } from '../parts/relative-time.tsx';
import { Shown } from '../parts/shown.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { countText } from '../text/number-text.ts';

const SEARCH_FROM = 7;

/** An app serves when every service has a version with traffic. */
function AppState({ services }: { readonly services: readonly ServiceView[] }): ReactElement {
  if (services.length === 0) return <StateBadge tone="quiet">Nothing deployed</StateBadge>;
  const serving = services.filter(({ split }) => Object.values(split).some((share) => share > 0)).length;
  if (serving === services.length) return <StateBadge tone="good">Serving</StateBadge>;
  return <StateBadge tone="warn">{`${serving} of ${services.length} services serve`}</StateBadge>;
}

function AppCard({ app }: { readonly app: AppView }): ReactElement {
  const versions = app.services.reduce((sum, service) => sum + service.versions, 0);
  return (
    <Paper withBorder radius="md" p="md" className="panel app-card" component="li">
      <Stack gap={10}>
        <Group justify="space-between" gap="xs">
          <Title order={2} size="h4">
            <Link to={`/apps/${encodeURIComponent(app.id)}`} className="app-card-link">
              {app.id}
            </Link>
          </Title>
          <AppState services={app.services} />
        </Group>
        <Anchor href={app.url} target="_blank" rel="noreferrer" size="sm" className="app-card-url breaks">
          {app.url.replace(/^https?:\/\/|\/$/g, '')} <IconExternalLink size={13} aria-label="(opens in a new tab)" />
        </Anchor>
        <Group gap={6}>
          {app.services.map(({ service }) => (
            <span key={service} className="chip mono">
              {service}
            </span>
          ))}
        </Group>
        <Text size="xs" c="dimmed">
          {countText(app.services.length)} {app.services.length === 1 ? 'service' : 'services'}, {countText(versions)}{' '}
          {versions === 1 ? 'version' : 'versions'} · created <RelativeTime atMs={app.createdAtMs} />
        </Text>
      </Stack>
    </Paper>
  );
}

const waiting = (
  <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
    {[1, 2, 3].map((each) => (
      <Skeleton key={each} height={132} radius="md" />
    ))}
  </SimpleGrid>
);

export function AppsPage(): ReactElement {
  const apps = useResource<{ apps: readonly AppView[] }>('/apps', { refetchMs: 5_000 });
  const [wanted, setWanted] = useState('');
  return (
    <Page title="Apps" description="Every app on this platform.">
      <Shown resource={apps} waiting={waiting}>
        {({ apps: all }) => {
          if (all.length === 0) {
            return (
              <Panel>
                <NothingYet icon={<IconApps />} title="No app yet" command="npx appengine deploy sample-apps/guestbook --app guestbook">
                  Deploy a folder with an app.yaml; its page appears here within a moment.
                </NothingYet>
              </Panel>
            );
          }
          const shown = all.filter(({ id }) => id.includes(wanted.trim().toLowerCase()));
          return (
            <>
              {all.length >= SEARCH_FROM && (
                <TextInput
                  aria-label="Find an app"
                  placeholder="Find an app"
                  leftSection={<IconSearch size={16} aria-hidden />}
                  value={wanted}
                  onChange={(event) => setWanted(event.currentTarget.value)}
                  maw={320}
                />
              )}
              <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} component="ul" className="plain-list">
                {shown.map((app) => (
                  <AppCard key={app.id} app={app} />
                ))}
              </SimpleGrid>
              {shown.length === 0 && <Text c="dimmed">No app has “{wanted}” in its name.</Text>}
            </>
          );
        }}
      </Shown>
    </Page>
  );
}
