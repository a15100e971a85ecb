// The router's own health, for a balancer in front of it that checks by address: at a host that is no app's, so that no path
// of an app is taken. It answers only once there are routes; until then every request is told ROUTE_STARTING.
import { type ErrorCode } from '../sdk/contract/errors.ts';
import { type RequestHead } from './request-guard.ts';

const HEALTH_PATH = '/_ah/health';

export const HEALTH_ANSWER = {
  status: 200,
  headers: ['content-type', 'text/plain; charset=utf-8', 'cache-control', 'no-store', 'content-length', '3'],
  body: Buffer.from('ok\n'),
} as const;

/** Whether a request that was refused with `code` asks whether the router is well. */
export function isHealthCheck(code: ErrorCode, head: RequestHead | undefined): boolean {
  return code === 'ROUTE_UNKNOWN_HOST' && head?.path === HEALTH_PATH && (head.method === 'GET' || head.method === 'HEAD');
}
