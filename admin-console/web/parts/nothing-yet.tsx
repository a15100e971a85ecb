import { Stack, Text } from '@mantine/core';
import { type ReactElement, type ReactNode } from 'react';
import { CodeBlock } from './code-block.tsx';

interface NothingYetProps {
  readonly icon: ReactNode;
  readonly title: string;
  readonly children?: ReactNode;
  /** The command that changes it. */
  readonly command?: string;
}

/** An empty state: says what would stand here, and what to do next. */
export function NothingYet({ icon, title, children, command }: NothingYetProps): ReactElement {
  return (
    <Stack align="center" gap="xs" px="md" py="xl" className="nothing-yet">
      <span className="nothing-yet-icon" aria-hidden>
        {icon}
      </span>
      <Text fw={600} ta="center">
        {title}
      </Text>
      {children !== undefined && (
        <Text size="sm" c="dimmed" ta="center" maw={520} component="div">
          {children}
        </Text>
      )}
      {command !== undefined && <CodeBlock label="Command" text={command} isCopyable />}
    </Stack>
  );
}
