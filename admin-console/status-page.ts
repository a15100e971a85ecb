// The page at `/`: what runs, made on the server, readable without a script. The full console comes with a later release.
import { createHash } from 'node:crypto';
import { type Request, type RequestHandler } from 'express';
import { type AppView, type StatusView, type VersionView } from '../sdk/contract/admin/admin.ts';
import { toPlatformError } from '../sdk/contract/errors.ts';
import { type AppsApi } from './ports.ts';
import { STATUS_STYLE } from './status-style.ts';

/** What the content security policy must allow for this page. */
export const STATUS_STYLE_SOURCE = `'sha256-${createHash('sha256').update(STATUS_STYLE).digest('base64')}'`;

const APPS_SHOWN_MAX = 50;

/** What the page shows of the apps. `hidden`: the reader sits on another machine, and there is no sign-in yet. */
export type AppsShown =
  | { readonly kind: 'hidden' }
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'known'; readonly apps: readonly AppWithVersions[]; readonly total: number };

export interface AppWithVersions {
  readonly app: AppView;
  readonly versions: readonly VersionView[];
}

export function statusPage(apps: AppsApi): RequestHandler {
  return async (request, response) => {
    const shown = isFromHere(request) ? await appsShown(apps) : ({ kind: 'hidden' } as const);
    response.set('Cache-Control', 'no-store').type('html').send(renderStatusPage(apps.status(), shown));
  };
}

async function appsShown(api: AppsApi): Promise<AppsShown> {
  try {
    const all = await api.apps();
    const apps: AppWithVersions[] = [];
    for (const app of all.slice(0, APPS_SHOWN_MAX)) apps.push({ app, versions: await api.versions(app.id) });
    return { kind: 'known', apps, total: all.length };
  } catch (error) {
    return { kind: 'unknown', reason: toPlatformError(error).message };
  }
}

/** Whether the reader sits at this machine. Behind a proxy nobody does. */
function isFromHere(request: Request): boolean {
  if (request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined) return false;
  const address = request.socket.remoteAddress ?? '';
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

export function renderStatusPage(status: StatusView, shown: AppsShown): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>App Engine: status</title>
<link rel="icon" href="data:,">
<style>${STATUS_STYLE}</style>
</head>
<body>
<header>
<h1>App Engine</h1>
<p><span class="state">Running</span> <span class="quiet">release ${escaped(status.release)}, sandbox ${escaped(status.sandbox)}</span></p>
</header>
<main>
${status.warnings.map((warning) => `<p class="card warning" role="note">${escaped(warning)}</p>`).join('\n')}
<h2>Apps</h2>
${appsHtml(shown)}
<h2>Do more</h2>
<div class="card">
<p>This page is all of the console that this release has. The command line does the rest:</p>
<pre class="scroll" tabindex="0" aria-label="Commands"><code>npx appengine deploy DIR --app ID
npx appengine versions list --app ID
npx appengine traffic set --app ID --split v1=0.9,v2=0.1
npx appengine logs tail --app ID
npx appengine --help</code></pre>
</div>
<footer class="quiet">Apps answer at ${escaped(status.appUrlTemplate.replaceAll('{id}', 'ID'))}</footer>
</main>
</body>
</html>
`;
}

function appsHtml(shown: AppsShown): string {
  switch (shown.kind) {
    case 'hidden':
      return '<p class="card">Apps are listed only to readers on the server itself, because this page asks nobody who they are.</p>';
    case 'unknown':
      return `<p class="card warning" role="note">The apps cannot be listed just now: ${escaped(shown.reason)}. Load the page again in a moment.</p>`;
    case 'known': {
      if (shown.apps.length === 0) return '<p class="card">None yet. Deploy the first one with the command below.</p>';
      const more = shown.total - shown.apps.length;
      const note = more > 0 ? `<p class="quiet">and ${more} more: <code>npx appengine apps list</code></p>` : '';
      return shown.apps.map(appHtml).join('\n') + note;
    }
  }
}

function appHtml({ app, versions }: AppWithVersions): string {
  return `<section class="card" aria-label="App ${escaped(app.id)}">
<h3>${escaped(app.id)}</h3>
<p><a href="${escaped(app.url)}">${escaped(app.url)}</a></p>
<div class="scroll" tabindex="0" role="group" aria-label="Versions of ${escaped(app.id)}">
<table>
<thead><tr><th scope="col">Service</th><th scope="col">Version</th><th scope="col">Traffic</th><th scope="col" class="number">Instances</th></tr></thead>
<tbody>
${versions.map(versionHtml).join('\n')}
</tbody>
</table>
</div>
</section>`;
}

function versionHtml({ service, version, url, trafficShare, instances }: VersionView): string {
  const percent = `${Math.round(trafficShare * 1_000) / 10} %`;
  const traffic = trafficShare > 0 ? `<meter min="0" max="1" value="${trafficShare}" aria-hidden="true"></meter>${percent}` : 'none';
  return `<tr><td>${escaped(service)}</td><td><a href="${escaped(url)}">${escaped(version)}</a></td><td>${traffic}</td><td class="number">${instances}</td></tr>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
