// What the router's own pages look like: one style, no script, nothing loaded from anywhere.
import { createHash } from 'node:crypto';

export const PAGE_STYLE = `
:root{color-scheme:light dark;--ink:#1f2430;--soft:#5c6475;--line:#dfe3ea;--paper:#fff;--mark:#2f6fed}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaf0;--soft:#9aa3b5;--line:#2c3240;--paper:#14171e;--mark:#7aa5ff}}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,sans-serif}
main{box-sizing:border-box;width:min(34rem,100vw);padding:1.5rem}
p.status{margin:0;font-weight:600;color:var(--mark)}
h1{margin:.25rem 0 .75rem;font-size:clamp(1.35rem,5vw,1.75rem);line-height:1.25}
p{margin:.5rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:1rem 0;padding:.75rem 0;border-block:1px solid var(--line)}
dt{color:var(--soft)}
dd{margin:0;font-variant-numeric:tabular-nums}
footer{margin-top:1.5rem;padding-top:.75rem;border-top:1px solid var(--line);font-size:.8125rem;color:var(--soft);overflow-wrap:anywhere}
code,pre{font-family:ui-monospace,monospace}
pre{margin:1rem 0;padding:.75rem;border:1px solid var(--line);font-size:.8125rem;white-space:pre-wrap;overflow-wrap:anywhere}`;

/** Names and values in turn. `referrerPolicy`: with no-referrer a browser does not say which origin a form comes from. */
export function pageSecurityHeaders(
  style: string,
  options: { readonly formAction: "'none'" | "'self'"; readonly referrerPolicy: 'no-referrer' | 'same-origin' },
): readonly string[] {
  const hash = createHash('sha256').update(style).digest('base64');
  return [
    'Content-Security-Policy',
    `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action ${options.formAction}; frame-ancestors 'none'`,
    'X-Content-Type-Options',
    'nosniff',
    'Referrer-Policy',
    options.referrerPolicy,
    'Cache-Control',
    'no-store',
  ];
}

/** A whole page. `title` is text; `main` is HTML. */
export function pageHtml(title: string, style: string, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
