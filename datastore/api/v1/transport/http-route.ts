// What a request over HTTP/1 asks for. Pure.
import { V1_METHODS, type V1Method } from '../port.ts';

export type Route =
  | { readonly kind: 'call'; readonly method: V1Method; readonly projectId: string; readonly enumAsInteger: boolean }
  | { readonly kind: 'health' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'not-allowed'; readonly allow: string };

const HEALTH_PATHS = new Set(['/', '/healthz', '/readyz']);
const SURFACE_PATHS = new Map<string, Route>([
  ['/reset', { kind: 'reset' }],
  ['/shutdown', { kind: 'shutdown' }],
]);
/** The project may hold a colon of its own. */
const CALL_PATH = /^\/v1\/projects\/([^/]+):([A-Za-z]+)$/;

/** By what their paths end with: `lookup`, `runQuery`. */
const METHODS: ReadonlyMap<string, V1Method> = new Map(
  V1_METHODS.map((method) => [`${method.charAt(0).toLowerCase()}${method.slice(1)}`, method]),
);

export function routeOf(httpMethod: string, url: string): Route {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  if (HEALTH_PATHS.has(path))
    return httpMethod === 'GET' || httpMethod === 'HEAD' ? { kind: 'health' } : { kind: 'not-allowed', allow: 'GET, HEAD' };
  const route = SURFACE_PATHS.get(path) ?? callOf(path, mark < 0 ? '' : url.slice(mark + 1));
  if (!route) return { kind: 'not-found' };
  return httpMethod === 'POST' ? route : { kind: 'not-allowed', allow: 'POST' };
}

function callOf(path: string, query: string): Route | undefined {
  const [, project = '', name = ''] = CALL_PATH.exec(path) ?? [];
  const method = METHODS.get(name);
  const projectId = decoded(project);
  return method && projectId !== undefined ? { kind: 'call', method, projectId, enumAsInteger: asksForNumbers(query) } : undefined;
}

/** `$alt=json;enum-encoding=int`, in whichever spelling; what else a query says is not for this API. */
function asksForNumbers(query: string): boolean {
  if (query === '') return false;
  const parameters = new URLSearchParams(query);
  return [...parameters.getAll('$alt'), ...parameters.getAll('alt')].some((value) => value.split(';').includes('enum-encoding=int'));
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
