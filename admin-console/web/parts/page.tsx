import { Group, Stack, Text, Title } from '@mantine/core';
import { type ReactElement, type ReactNode, useEffect } from 'react';

interface PageProps {
  readonly title: string;
  /** What the title belongs to, for the window's title: an app's id. */
  readonly of?: string;
  readonly description?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

export function Page({ title, of, description, actions, children }: PageProps): ReactElement {
  useEffect(() => {
    document.title = [title, of, 'App Engine'].filter((part) => part !== undefined).join(' · ');
  }, [title, of]);
  return (
    <Stack gap="lg" className="page">
      <Group justify="space-between" align="flex-end" gap="md">
        <div className="page-title">
          <Title order={1} size="h2">
            {title}
          </Title>
          {description !== undefined && (
            <Text c="dimmed" size="sm" mt={4} component="div">
              {description}
            </Text>
          )}
        </div>
        {actions !== undefined && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}
