import { Center, Container, Loader } from '@mantine/core';
import { type ReactElement, type ReactNode } from 'react';
import { Navigate, useLocation } from 'react-router';
import { ApiFailure } from '../api/api-client.ts';
import { useSession } from '../api/resource.tsx';
import { FailureAlert } from '../parts/failure.tsx';

/** Shows its children to whom has signed in; anyone else goes to the sign-in page, and from there back to where they wanted to be. */
export function SessionGate({ children }: { readonly children: ReactNode }): ReactElement {
  const session = useSession();
  const { pathname, search } = useLocation();
  if (session.data) return <>{children}</>;
  const { error } = session;
  if (session.data === null || (error instanceof ApiFailure && error.isSignedOut)) {
    const next = pathname === '/' ? '' : `?next=${encodeURIComponent(pathname + search)}`;
    return <Navigate to={`/sign-in${next}`} replace />;
  }
  if (error instanceof ApiFailure) {
    return (
      <Container size="sm" py="xl" component="main">
        <FailureAlert failure={error} onRetry={() => void session.refetch()} />
      </Container>
    );
  }
  return (
    <Center h="100vh">
      <Loader role="status" aria-label="Loading the console" />
    </Center>
  );
}
