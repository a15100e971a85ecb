// The platform's own requests to apps: tasks and cron jobs come in on a private unix socket of the router. What only they
// may say, and how the router tells them that an answer is its own and not the app's.
import { type IncomingHttpHeaders } from 'node:http';

/** Headers that a platform call may carry, in lower case; anybody else's are removed with the whole prefix. */
export const PLATFORM_CALL_HEADERS: ReadonlySet<string> = new Set([
  'x-appengine-queuename',
  'x-appengine-taskname',
  'x-appengine-taskretrycount',
  'x-appengine-taskexecutioncount',
  'x-appengine-tasketa',
  'x-appengine-taskpreviousresponse',
  'x-appengine-taskretryreason',
  'x-appengine-cron',
]);

/** On an error of the router's own to a platform call: its code. Apps cannot send it, their X-Appengine-* are removed. */
export const PLATFORM_ERROR_HEADER = 'X-Appengine-Error-Code';

/** App Engine's addresses of its own callers: cron and tasks. */
const PLATFORM_ADDRESS = /^0\.1\.0\.[12]$/;
const PLATFORM_ADDRESS_DEFAULT = '0.1.0.2';

/** What a platform call says is its address. */
export function platformAddress(headers: IncomingHttpHeaders): string {
  const address = headers['x-appengine-user-ip'];
  return typeof address === 'string' && PLATFORM_ADDRESS.test(address) ? address : PLATFORM_ADDRESS_DEFAULT;
}
