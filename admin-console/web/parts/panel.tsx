import { Group, Paper, Text, Title } from '@mantine/core';
import { type ReactElement, type ReactNode, useId } from 'react';

interface PanelProps {
  readonly title?: ReactNode;
  readonly description?: ReactNode;
  readonly actions?: ReactNode;
  /** Its content reaches the edges, as tables do. */
  readonly isFlush?: boolean;
  readonly children: ReactNode;
}

/** A titled box: the building block of every page. */
export function Panel({ title, description, actions, isFlush = false, children }: PanelProps): ReactElement {
  const id = useId();
  return (
    <Paper withBorder radius="md" component="section" className="panel" {...(title === undefined ? {} : { 'aria-labelledby': id })}>
      {title !== undefined && (
        <Group justify="space-between" gap="xs" px="md" pt="sm" pb={isFlush ? 'xs' : 0} className="panel-head">
          <div className="panel-title">
            <Title order={2} size="h5" id={id}>
              {title}
            </Title>
            {description !== undefined && (
              <Text size="sm" c="dimmed" component="div">
                {description}
              </Text>
            )}
          </div>
          {actions !== undefined && <Group gap="xs">{actions}</Group>}
        </Group>
      )}
      <div className={isFlush ? '' : 'panel-body'}>{children}</div>
    </Paper>
  );
}
