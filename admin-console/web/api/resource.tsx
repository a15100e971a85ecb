// Reading and changing what the admin API holds, from components. A query's key is its path, so a change names the paths it touches.
import { notifications } from '@mantine/notifications';
import { IconCheck } from '@tabler/icons-react';
import {
  keepPreviousData,
  MutationCache,
  QueryCache,
  QueryClient,
  useMutation,
  useQuery,
  useQueryClient,
  type UseMutationResult,
  type UseQueryResult,
} from '@tanstack/react-query';
import { type SessionView } from '../../../sdk/contract/admin/session.ts';
import { createContext, useContext } from 'react';
import { FailureText } from '../parts/failure.tsx';
import { ApiFailure, type ApiClient } from './api-client.ts';

const SESSION_KEY = ['session'];
const RETRIES_MAX = 2;

export const ApiContext = createContext<ApiClient | undefined>(undefined);

export function useApi(): ApiClient {
  const api = useContext(ApiContext);
  if (api === undefined) throw new Error('There is no ApiContext above this component');
  return api;
}

/** Signed out anywhere means signed out everywhere: the gate above the pages then shows the sign-in page. */
export function createQueryClient(): QueryClient {
  const onError = (error: unknown): void => {
    if (error instanceof ApiFailure && error.isSignedOut) client.setQueryData(SESSION_KEY, null);
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        staleTime: 1_000,
        retry: (tries, error) => tries < RETRIES_MAX && !(error instanceof ApiFailure && error.status >= 400 && error.status < 500),
        retryDelay: (tries) => 500 * 2 ** tries,
      },
    },
  });
  return client;
}

export interface ResourceOptions {
  /** Reads it again this often while the page is in front. */
  readonly refetchMs?: number;
  /** Not read while false. */
  readonly enabled?: boolean;
  /** Shows what another path had until this one is there. */
  readonly keepsPrevious?: boolean;
}

export type Resource<T> = UseQueryResult<T, ApiFailure>;

export function useResource<T>(path: string, options: ResourceOptions = {}): Resource<T> {
  const api = useApi();
  return useQuery<T, ApiFailure>({
    queryKey: ['api', path],
    queryFn: ({ signal }) => api.get<T>(path, { signal }),
    refetchInterval: options.refetchMs ?? false,
    enabled: options.enabled ?? true,
    ...(options.keepsPrevious === true ? { placeholderData: keepPreviousData } : {}),
  });
}

export interface ActionOptions<I, O> {
  /** Said in a toast once it is done. */
  readonly done?: (output: O, input: I) => string;
  /** Paths, and all below them, that are read again. */
  readonly touches?: readonly string[];
  /** The caller shows the failure where it happened; otherwise it is a toast. */
  readonly showsFailure?: boolean;
  readonly onDone?: (output: O, input: I) => void;
}

export type Action<I, O> = UseMutationResult<O, ApiFailure, I>;

export function useAction<I, O>(act: (api: ApiClient, input: I) => Promise<O>, options: ActionOptions<I, O> = {}): Action<I, O> {
  const api = useApi();
  const client = useQueryClient();
  return useMutation<O, ApiFailure, I>({
    mutationFn: (input) => act(api, input),
    onSuccess: async (output, input) => {
      options.onDone?.(output, input);
      if (options.done !== undefined) {
        notifications.show({ message: options.done(output, input), color: 'teal', icon: <IconCheck size={18} aria-hidden /> });
      }
      await client.invalidateQueries({
        predicate: ({ queryKey: [space, path] }) =>
          space === 'api' && (options.touches ?? []).some((prefix) => typeof path === 'string' && path.startsWith(prefix)),
      });
    },
    onError: (failure) => {
      if (options.showsFailure !== true) showFailure(failure);
    },
  });
}

export function showFailure(failure: ApiFailure): void {
  notifications.show({ title: 'That did not work', message: <FailureText failure={failure} />, color: 'red', autoClose: 12_000 });
}

/** Null once it is known that there is none. */
export function useSession(): UseQueryResult<SessionView | null> {
  const api = useApi();
  return useQuery<SessionView | null>({ queryKey: SESSION_KEY, queryFn: () => api.session(), staleTime: Infinity });
}

export function useSessionSetter(): { readonly signedIn: (session: SessionView) => void; readonly signedOut: () => void } {
  const client = useQueryClient();
  return {
    signedIn: (session) => {
      client.setQueryData(SESSION_KEY, session);
    },
    /** Forgets everything that was read under the session. */
    signedOut: () => {
      client.removeQueries({ queryKey: ['api'] });
      client.setQueryData(SESSION_KEY, null);
    },
  };
}
