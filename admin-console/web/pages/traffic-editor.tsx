// Splits a service's traffic between its versions. It saves only shares that add up to 100 %.
import { Button, Group, NumberInput, SegmentedControl, Slider, Stack, Text } from '@mantine/core';
import { type ReactElement, useState } from 'react';
import { type TrafficRequest, type VersionView } from '../../../sdk/contract/admin/admin.ts';
import { apiPath } from '../api/api-client.ts';
import { useAction } from '../api/resource.tsx';
import { FailureAlert } from '../parts/failure.tsx';
import { evenly, percentagesOf, splitOf, sumOf, withRest, withShare } from '../text/traffic-split.ts';

type ShardBy = NonNullable<TrafficRequest['shardBy']>;

const SHARDS: readonly { readonly value: ShardBy; readonly label: string; readonly text: string }[] = [
  { value: 'cookie', label: 'Cookie', text: 'A visitor stays with a version by a cookie, GOOGAPPUID: the most exact split for browsers.' },
  { value: 'ip', label: 'Address', text: 'A visitor stays with a version by the client address: works without cookies, a little coarse.' },
  { value: 'random', label: 'Random', text: 'Each request by itself: exact, but a visitor sees both versions.' },
];

interface TrafficEditorProps {
  readonly base: string;
  readonly service: string;
  readonly versions: readonly VersionView[];
  readonly onClose: () => void;
}

/** As it is now; cookies, which stay with a visitor, where nothing is split yet. */
function shardByOf(versions: readonly VersionView[]): ShardBy {
  const receiving = versions.filter(({ trafficShare }) => trafficShare > 0);
  return receiving.length > 1 ? (receiving[0]?.shardBy ?? 'cookie') : 'cookie';
}

export function TrafficEditor({ base, service, versions, onClose }: TrafficEditorProps): ReactElement {
  const names = versions.map(({ version }) => version);
  const [percentages, setPercentages] = useState(() => percentagesOf(versions));
  const [shardBy, setShardBy] = useState<ShardBy>(() => shardByOf(versions));
  const sum = sumOf(percentages);
  const isWhole = sum === 100;
  const save = useAction(
    (api) => {
      const request: TrafficRequest = { split: splitOf(percentages), shardBy };
      return api.send('PUT', `${base}${apiPath`/services/${service}/traffic`}`, request);
    },
    { touches: [base], showsFailure: true, done: () => `Traffic of ${service} is split.`, onDone: onClose },
  );

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isWhole) save.mutate(undefined);
      }}
    >
      <Stack gap="md">
        {save.error !== null && <FailureAlert failure={save.error} />}
        <ul className="plain-list split-list">
          {names.map((name) => {
            const percent = percentages[name] ?? 0;
            return (
              <li key={name} className="split-row">
                <span className="mono split-name" title={name}>
                  {name}
                </span>
                <Slider
                  value={percent}
                  onChange={(value) => setPercentages(withShare(percentages, name, value))}
                  step={1}
                  label={null}
                  thumbLabel={`Traffic of ${name}, in percent`}
                  className="split-slider"
                />
                <NumberInput
                  value={percent}
                  onChange={(value) => setPercentages(withShare(percentages, name, Number(value)))}
                  min={0}
                  max={100}
                  decimalScale={1}
                  suffix=" %"
                  hideControls
                  size="xs"
                  aria-label={`Percent of ${name}`}
                  className="split-number"
                />
                <Button
                  size="compact-xs"
                  variant="default"
                  disabled={isWhole}
                  onClick={() => setPercentages(withRest(percentages, name))}
                  aria-label={`Give the rest to ${name}`}
                >
                  Rest
                </Button>
              </li>
            );
          })}
        </ul>
        <Group justify="space-between">
          <Button size="compact-sm" variant="default" onClick={() => setPercentages(evenly(names))}>
            Split evenly
          </Button>
          <Text size="sm" fw={600} c={isWhole ? undefined : 'var(--mantine-color-error)'} role="status">
            {isWhole ? 'Adds up to 100 %' : `Adds up to ${sum} %, want 100 %`}
          </Text>
        </Group>
        <div>
          <Text size="sm" fw={500} mb={4} id="shard-by">
            A visitor stays with a version by
          </Text>
          <SegmentedControl
            fullWidth
            size="xs"
            aria-labelledby="shard-by"
            value={shardBy}
            onChange={(value) => setShardBy(value)}
            data={SHARDS.map(({ value, label }) => ({ value, label }))}
          />
          <Text size="xs" c="dimmed" mt={6}>
            {SHARDS.find(({ value }) => value === shardBy)?.text}
          </Text>
        </div>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={!isWhole} loading={save.isPending}>
            Save the split
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
