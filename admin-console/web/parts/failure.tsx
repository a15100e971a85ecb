// A failure for people: what happened, why, and how to mend it.
import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { type ApiFailure } from '../api/api-client.ts';
import { CodeBlock } from './code-block.tsx';

/** The first line says what; what follows, such as a statement with a caret under the fault, needs a monospaced font. */
export function FailureText({ failure }: { readonly failure: ApiFailure }): ReactElement {
  const { message, mend, code, details } = failure.body;
  const [what = '', ...excerpt] = message.split('\n');
  const { indexYaml } = details;
  return (
    <Stack gap={6}>
      <Text size="sm" className="breaks">
        {what}
      </Text>
      {excerpt.length > 0 && <CodeBlock label="Where it is" text={excerpt.join('\n')} />}
      {typeof indexYaml === 'string' && !message.includes(indexYaml) && <CodeBlock label="Lines for index.yaml" text={indexYaml} />}
      <Text size="sm">{mend}.</Text>
      <Text size="xs" c="dimmed" ff="monospace">
        {code}
      </Text>
    </Stack>
  );
}

/** What was refused as it stands is refused again. */
const mayPassByItself = ({ status }: ApiFailure): boolean => status === 0 || status >= 500 || status === 429;

export function FailureAlert({ failure, onRetry }: { readonly failure: ApiFailure; readonly onRetry?: () => void }): ReactElement {
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle aria-hidden />} role="alert" classNames={{ root: 'failure' }}>
      <FailureText failure={failure} />
      {onRetry !== undefined && mayPassByItself(failure) && (
        <Group mt="sm">
          <Button size="xs" variant="default" onClick={onRetry}>
            Try again
          </Button>
        </Group>
      )}
    </Alert>
  );
}
