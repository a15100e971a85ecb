// What a visitor sees when the platform answers instead of the app. The visitor is a stranger: no details, no
// output of the app, no paths; the request id is what the app's owner finds the rest by.
import { ERRORS, type ErrorBody, type ErrorCode, type ErrorDetails } from '../sdk/contract/errors.ts';
import { type AppErrorPage, type AppErrorPages } from './app-error-pages.ts';
import { escapeHtml, PAGE_STYLE, pageHtml, pageSecurityHeaders } from './page-frame.ts';
import { ALLOWED_METHODS } from './request-guard.ts';
import { type StartReport } from './start-report.ts';

export interface ErrorAnswer {
  readonly status: number;
  /** Names and values in turn, with Content-Length. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** Where the table's advice is meant for the one who deployed, and speaks of output that is not shown here. */
const PUBLIC_MEND: Partial<Record<ErrorCode, string>> = {
  ADMIN_REQUIRED: 'Sign out at /_ah/logout, then sign in as an administrator',
  INSTANCE_EXITED: 'If this is your app, its log says why: run `appengine logs`, or open the console',
  INSTANCE_NEVER_LISTENED: 'If this is your app, let it listen on the port in $PORT before it does slow work',
  ROUTE_START_FAILED: 'If this is your app, its log says why: run `appengine logs`, or open the console',
  INSTANCE_SPAWN_FAILED: 'If this is your server, its platform log says why',
};

const RETRY_AFTER_SECONDS = 2;

const SECURITY_HEADERS = pageSecurityHeaders(PAGE_STYLE, { formAction: "'none'", referrerPolicy: 'no-referrer' });

/**
 * The app's own page when it has one for this error; else HTML when the client's Accept asks for it by name, else JSON
 * `{error}` as everywhere in the platform. A report is for the app's developer, and goes before the app's own page.
 */
export function errorAnswer(
  code: ErrorCode,
  requestId: string,
  accept: string | undefined,
  details: ErrorDetails = {},
  pages?: AppErrorPages,
  report?: StartReport,
): ErrorAnswer {
  if (report) return reportAnswer(code, requestId, accept, report);
  const own = pages?.pageFor(code);
  if (own) return ownAnswer(code, own, details);
  if (code === 'QUOTA_EXCEEDED') return quotaAnswer(requestId, accept, details);
  const { httpStatus, message } = ERRORS[code];
  const mend = PUBLIC_MEND[code] ?? ERRORS[code].mend;
  const isHtml = wantsHtml(accept);
  const body = isHtml
    ? page({ code, title: message, status: httpStatus, requestId, content: `<p>${escapeHtml(mend)}.</p>` })
    : json({ code, message, mend, details: { requestId } });
  const { allow } = details;
  const extra = code === 'ROUTE_METHOD_NOT_ALLOWED' ? ['Allow', typeof allow === 'string' ? allow : ALLOWED_METHODS] : [];
  return answer(httpStatus, isHtml, body, [...extra, ...(httpStatus === 503 ? ['Retry-After', String(RETRY_AFTER_SECONDS)] : [])]);
}

function reportAnswer(code: ErrorCode, requestId: string, accept: string | undefined, { reason, output }: StartReport): ErrorAnswer {
  const { httpStatus, message, mend } = ERRORS[code];
  const isHtml = wantsHtml(accept);
  const content = `<p>${escapeHtml(reason)}</p>
${output === '' ? '' : `<pre>${escapeHtml(output)}</pre>\n`}<p>${escapeHtml(mend)}.</p>
<p>Only a development server shows this.</p>`;
  const body = isHtml
    ? page({ code, title: message, status: httpStatus, requestId, content })
    : json({ code, message, mend, details: { requestId, reason, output } });
  return answer(httpStatus, isHtml, body, []);
}

/** Without the platform's Content-Security-Policy: what the app's page loads is the app's affair. */
function ownAnswer(
  code: ErrorCode,
  { mimeType, body }: AppErrorPage,
  { retryAfterSeconds = RETRY_AFTER_SECONDS }: ErrorDetails,
): ErrorAnswer {
  const status = ERRORS[code].httpStatus;
  const headers = [
    'Content-Type',
    mimeType,
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
  ];
  if (status === 503) headers.push('Retry-After', String(retryAfterSeconds));
  return { status, headers, body };
}

/** Which quota, how much of it, and when it resets: what App Engine's owners had to look for in the console. */
function quotaAnswer(requestId: string, accept: string | undefined, details: ErrorDetails): ErrorAnswer {
  const { httpStatus, message, mend } = ERRORS.QUOTA_EXCEEDED;
  const { quota = '', usedText = '', limitText = '', resetsAt = '', reason = '', retryAfterSeconds = RETRY_AFTER_SECONDS } = details;
  const isHtml = wantsHtml(accept);
  const rows = [
    ['Quota', `${String(quota)}${reason === 'minute' ? ', per minute' : ', per day'}`],
    ['Used', `${String(usedText)} of ${String(limitText)}`],
    ['Resets', String(resetsAt).replace('T', ' ').replace('Z', ' UTC')],
  ];
  const list = rows.map(([name = '', value = '']) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join('\n');
  const content = `<dl>\n${list}\n</dl>
<p>The app answers again by itself once the quota resets. Its data stays as it is.</p>
<p>If this is your app: ${escapeHtml(mend.charAt(0).toLowerCase() + mend.slice(1))}.</p>`;
  const body = isHtml
    ? page({ code: 'QUOTA_EXCEEDED', title: message, status: httpStatus, requestId, content })
    : json({ code: 'QUOTA_EXCEEDED', message, mend, details: { ...details, requestId } });
  return answer(httpStatus, isHtml, body, ['Retry-After', String(retryAfterSeconds)]);
}

function wantsHtml(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/html') ?? false;
}

function answer(status: number, isHtml: boolean, text: string, extra: readonly string[]): ErrorAnswer {
  const body = Buffer.from(text);
  const headers = [
    'Content-Type',
    isHtml ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8',
    'Content-Length',
    String(body.length),
    'Vary',
    'Accept',
    ...SECURITY_HEADERS,
  ];
  headers.push(...extra);
  return { status, headers, body };
}

function json(error: ErrorBody): string {
  return `${JSON.stringify({ error })}\n`;
}

interface Page {
  readonly code: ErrorCode;
  readonly title: string;
  readonly status: number;
  readonly requestId: string;
  /** HTML. */
  readonly content: string;
}

function page({ code, title, status, requestId, content }: Page): string {
  return pageHtml(
    title,
    PAGE_STYLE,
    `<p class="status">Error ${status}</p>
<h1>${escapeHtml(title)}</h1>
${content}
<footer><code>${code}</code> · request <code>${escapeHtml(requestId)}</code></footer>`,
  );
}
