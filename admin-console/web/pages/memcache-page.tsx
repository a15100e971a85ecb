// The app's cache: how it does, and what stands under one key.
import { Button, Group, NumberInput, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { IconBolt } from '@tabler/icons-react';
import { type ReactElement, useState } from 'react';
import { type MemcacheEntryView, type MemcacheEntryWrite, type MemcacheStatsView } from '../../../sdk/contract/admin/data.ts';
import { apiPath } from '../api/api-client.ts';
import { useAction, useResource } from '../api/resource.tsx';
import { CodeBlock } from '../parts/code-block.tsx';
import { DangerButton } from '../parts/danger-button.tsx';
import { FailureAlert } from '../parts/failure.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { RelativeTime } from '../parts/relative-time.tsx';
import { Shown } from '../parts/shown.tsx';
import { StatTiles } from '../parts/stat-tiles.tsx';
import { bytesText, countText, shareText } from '../text/number-text.ts';
import { ageText } from '../text/time-text.ts';
import { useAppPlace } from './app-place.ts';

interface Place {
  readonly namespace: string;
  readonly key: string;
}

function Stats({ stats }: { readonly stats: MemcacheStatsView }): ReactElement {
  const asked = stats.hits + stats.misses;
  return (
    <StatTiles
      stats={[
        { title: 'Hit rate', value: asked === 0 ? '–' : shareText(stats.hits / asked), note: `${countText(asked)} lookups` },
        { title: 'Hits', value: countText(stats.hits), note: bytesText(stats.byteHits) },
        { title: 'Misses', value: countText(stats.misses) },
        { title: 'Items', value: countText(stats.items) },
        { title: 'Size', value: bytesText(stats.bytes), note: `of ${bytesText(stats.bytesMax)}` },
        { title: 'Oldest untouched', value: stats.items === 0 ? '–' : ageText(stats.oldestItemAgeMs) },
      ]}
    />
  );
}

function Entry({
  base,
  place,
  onEdit,
}: {
  readonly base: string;
  readonly place: Place;
  readonly onEdit: (entry: MemcacheEntryView) => void;
}): ReactElement {
  const at = `${base}/memcache/entry${apiPath`?namespace=${place.namespace}&key=${place.key}`}`;
  const entry = useResource<MemcacheEntryView>(at);
  const remove = useAction((api) => api.send('DELETE', at), { touches: [`${base}/memcache`], done: () => `${place.key} is deleted.` });
  if (entry.error !== null) {
    if (entry.error.status !== 404) return <FailureAlert failure={entry.error} onRetry={() => void entry.refetch()} />;
    return (
      <NothingYet icon={<IconBolt />} title="Nothing under this key">
        It was never set, has expired, or was evicted to make room. Set it below to try what the app does with it.
      </NothingYet>
    );
  }
  return (
    <Shown resource={entry}>
      {(data) => (
        <Stack gap="sm">
          <CodeBlock label={`Value of ${data.key}`} text={data.value} isCopyable />
          <Group justify="space-between">
            <Text size="sm" c="dimmed">
              {data.encoding === 'text' ? 'Text' : data.encoding === 'json' ? 'JSON' : 'Bytes, as base64'}, {bytesText(data.bytes)}
              {data.expiresAtMs === undefined ? ', does not expire' : ', expires '}
              {data.expiresAtMs !== undefined && <RelativeTime atMs={data.expiresAtMs} />}
            </Text>
            <Group gap="xs">
              <Button size="xs" variant="default" onClick={() => onEdit(data)}>
                Edit
              </Button>
              <DangerButton
                size="xs"
                asks={{
                  title: `Delete ${data.key}?`,
                  text: 'The app sees a miss and fills it again.',
                  verb: 'Delete key',
                  onConfirm: () => remove.mutate(undefined),
                }}
              >
                Delete
              </DangerButton>
            </Group>
          </Group>
        </Stack>
      )}
    </Shown>
  );
}

const NO_ENTRY: MemcacheEntryWrite = { namespace: '', key: '', value: '', expirationSeconds: 0 };

export function MemcachePage(): ReactElement {
  const { appId, base } = useAppPlace();
  const stats = useResource<MemcacheStatsView>(`${base}/memcache`, { refetchMs: 3_000 });
  const [wanted, setWanted] = useState<Place>({ namespace: '', key: '' });
  const [shown, setShown] = useState<Place>();
  const [draft, setDraft] = useState(NO_ENTRY);
  const flush = useAction((api) => api.send('POST', `${base}/memcache/flush`), {
    touches: [`${base}/memcache`],
    done: () => 'The cache is empty.',
  });
  const write = useAction((api) => api.send<MemcacheEntryView>('PUT', `${base}/memcache/entry`, draft), {
    touches: [`${base}/memcache`],
    showsFailure: true,
    done: ({ key }) => `${key} is set.`,
    onDone: ({ namespace, key }) => {
      setShown({ namespace, key });
      setDraft(NO_ENTRY);
    },
  });
  return (
    <Page
      title="Memcache"
      of={appId}
      description="Values that the app keeps in memory for a while."
      actions={
        <DangerButton
          size="sm"
          asks={{
            title: 'Flush the whole cache?',
            text: 'Every value of this app is dropped. The app goes on, slower until it has filled the cache again. This cannot be undone.',
            verb: 'Flush cache',
            onConfirm: () => flush.mutate(undefined),
          }}
        >
          Flush cache
        </DangerButton>
      }
    >
      <Shown resource={stats}>{(data) => <Stats stats={data} />}</Shown>
      <Panel title="Look up a key">
        <Stack gap="md">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              setShown({ ...wanted });
            }}
          >
            <div className="form-row">
              <TextInput
                label="Key"
                required
                value={wanted.key}
                onChange={(event) => setWanted({ ...wanted, key: event.currentTarget.value })}
                classNames={{ input: 'mono' }}
              />
              <TextInput
                label="Namespace"
                placeholder="(default)"
                value={wanted.namespace}
                onChange={(event) => setWanted({ ...wanted, namespace: event.currentTarget.value })}
              />
              <Button type="submit">Look up</Button>
            </div>
          </form>
          {shown !== undefined && (
            <Entry
              key={`${shown.namespace}/${shown.key}`}
              base={base}
              place={shown}
              onEdit={({ namespace, key, value }) => setDraft({ namespace, key, value, expirationSeconds: 0 })}
            />
          )}
        </Stack>
      </Panel>
      <Panel title="Set a key" description="The value is stored as text.">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            write.mutate(undefined);
          }}
        >
          <Stack gap="sm">
            {write.error !== null && <FailureAlert failure={write.error} />}
            <div className="form-row">
              <TextInput
                label="Key to set"
                required
                value={draft.key}
                onChange={(event) => setDraft({ ...draft, key: event.currentTarget.value })}
                classNames={{ input: 'mono' }}
              />
              <TextInput
                label="Its namespace"
                placeholder="(default)"
                value={draft.namespace}
                onChange={(event) => setDraft({ ...draft, namespace: event.currentTarget.value })}
              />
              <NumberInput
                label="Expires after, in seconds"
                description="0: never"
                inputWrapperOrder={['label', 'input', 'description']}
                min={0}
                allowDecimal={false}
                value={draft.expirationSeconds}
                onChange={(value) => setDraft({ ...draft, expirationSeconds: Number(value) })}
              />
            </div>
            <Textarea
              label="Value"
              autosize
              minRows={2}
              maxRows={12}
              value={draft.value}
              onChange={(event) => setDraft({ ...draft, value: event.currentTarget.value })}
              classNames={{ input: 'mono' }}
            />
            <Group justify="flex-end">
              <Button type="submit" loading={write.isPending}>
                Set
              </Button>
            </Group>
          </Stack>
        </form>
      </Panel>
    </Page>
  );
}
