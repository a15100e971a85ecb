// What a visitor sees when the platform answers instead of the app. The visitor is a stranger: no details, no
// output of the app, no paths; the request id is what the app's owner finds the rest by.
import { ERRORS, type ErrorBody, type ErrorCode } from '../sdk/contract/errors.ts';
import { escapeHtml, PAGE_STYLE, pageHtml, pageSecurityHeaders } from './page-frame.ts';
import { ALLOWED_METHODS } from './request-guard.ts';

export interface ErrorAnswer {
  readonly status: number;
  /** Names and values in turn, with Content-Length. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** Where the table's advice is meant for the one who deployed, and speaks of output that is not shown here. */
const PUBLIC_MEND: Partial<Record<ErrorCode, string>> = {
  INSTANCE_EXITED: 'If this is your app, its log says why: run `appengine logs`, or open the console',
  INSTANCE_NEVER_LISTENED: 'If this is your app, let it listen on the port in $PORT before it does slow work',
  ROUTE_START_FAILED: 'If this is your app, its log says why: run `appengine logs`, or open the console',
  INSTANCE_SPAWN_FAILED: 'If this is your server, its platform log says why',
};

const RETRY_AFTER_SECONDS = 2;

const SECURITY_HEADERS = pageSecurityHeaders(PAGE_STYLE, { formAction: "'none'", referrerPolicy: 'no-referrer' });

/** HTML when the client's Accept asks for it by name, else JSON `{error}` as everywhere in the platform. */
export function errorAnswer(code: ErrorCode, requestId: string, accept: string | undefined, allow = ALLOWED_METHODS): ErrorAnswer {
  const { httpStatus, message } = ERRORS[code];
  const mend = PUBLIC_MEND[code] ?? ERRORS[code].mend;
  const isHtml = accept?.toLowerCase().includes('text/html') ?? false;
  const body = Buffer.from(
    isHtml ? page(code, httpStatus, message, mend, requestId) : json({ code, message, mend, details: { requestId } }),
  );
  const headers = [
    'Content-Type',
    isHtml ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8',
    'Content-Length',
    String(body.length),
    'Vary',
    'Accept',
    ...SECURITY_HEADERS,
  ];
  if (httpStatus === 503) headers.push('Retry-After', String(RETRY_AFTER_SECONDS));
  if (code === 'ROUTE_METHOD_NOT_ALLOWED') headers.push('Allow', allow);
  return { status: httpStatus, headers, body };
}

function json(error: ErrorBody): string {
  return `${JSON.stringify({ error })}\n`;
}

function page(code: ErrorCode, status: number, message: string, mend: string, requestId: string): string {
  return pageHtml(
    message,
    PAGE_STYLE,
    `<p class="status">Error ${status}</p>
<h1>${escapeHtml(message)}</h1>
<p>${escapeHtml(mend)}.</p>
<footer><code>${code}</code> · request <code>${escapeHtml(requestId)}</code></footer>`,
  );
}
