import { Skeleton, Stack } from '@mantine/core';
import { type ReactElement, type ReactNode } from 'react';
import { type Resource } from '../api/resource.tsx';
import { FailureAlert } from './failure.tsx';

interface ShownProps<T> {
  readonly resource: Resource<T>;
  readonly children: (data: T) => ReactNode;
  /** In place of the usual grey bars while it is on its way. */
  readonly waiting?: ReactNode;
}

/** A resource once it is there; before, grey bars; a failure with a button to try again. What was read stays when a later reading fails. */
export function Shown<T>({ resource, children, waiting }: ShownProps<T>): ReactElement {
  const { data, error } = resource;
  return (
    <>
      {error !== null && <FailureAlert failure={error} onRetry={() => void resource.refetch()} />}
      {data === undefined && error === null && (
        <div role="status" aria-label="Loading">
          {waiting ?? (
            <Stack gap="sm" p="md">
              <Skeleton height={14} width="40%" />
              <Skeleton height={14} width="90%" />
              <Skeleton height={14} width="75%" />
            </Stack>
          )}
        </div>
      )}
      {data !== undefined && children(data)}
    </>
  );
}
