// What a visitor sees when the platform answers instead of the app. The visitor is a stranger: no details, no
// output of the app, no paths; the request id is what the app's owner finds the rest by.
import { createHash } from 'node:crypto';
import { ERRORS, type ErrorBody, type ErrorCode } from '../sdk/contract/errors.ts';
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

const STYLE = `
:root{color-scheme:light dark;--ink:#1f2430;--soft:#5c6475;--line:#dfe3ea;--paper:#fff;--mark:#2f6fed}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaf0;--soft:#9aa3b5;--line:#2c3240;--paper:#14171e;--mark:#7aa5ff}}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,sans-serif}
main{box-sizing:border-box;width:min(34rem,100vw);padding:1.5rem}
p.status{margin:0;font-weight:600;color:var(--mark)}
h1{margin:.25rem 0 .75rem;font-size:clamp(1.35rem,5vw,1.75rem);line-height:1.25}
p{margin:.5rem 0}
footer{margin-top:1.5rem;padding-top:.75rem;border-top:1px solid var(--line);font-size:.8125rem;color:var(--soft);overflow-wrap:anywhere}
code{font-family:ui-monospace,monospace}`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');
const SECURITY_HEADERS = [
  'Content-Security-Policy',
  `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
  'Cache-Control',
  'no-store',
];

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
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(message)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="status">Error ${status}</p>
<h1>${escapeHtml(message)}</h1>
<p>${escapeHtml(mend)}.</p>
<footer><code>${code}</code> · request <code>${escapeHtml(requestId)}</code></footer>
</main>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
