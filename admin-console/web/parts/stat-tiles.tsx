import { Paper, SimpleGrid, Text } from '@mantine/core';
import { type ReactElement, type ReactNode } from 'react';

export interface Stat {
  readonly title: string;
  readonly value: ReactNode;
  readonly note?: ReactNode;
}

/** Figures side by side. */
export function StatTiles({ stats }: { readonly stats: readonly Stat[] }): ReactElement {
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: Math.min(6, stats.length) }} spacing="sm" component="dl" className="stats">
      {stats.map(({ title, value, note }) => (
        <Paper key={title} withBorder radius="md" px="md" py="sm" className="panel">
          <Text component="dt" size="xs" c="dimmed">
            {title}
          </Text>
          <dd className="stat-value">{value}</dd>
          {note !== undefined && (
            <Text component="dd" size="xs" c="dimmed" m={0}>
              {note}
            </Text>
          )}
        </Paper>
      ))}
    </SimpleGrid>
  );
}
