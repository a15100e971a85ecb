// Every element of `handlers`, from the text of app.yaml to what the router decides (reference: App Engine's app.yaml).
import { describe, expect, it } from 'vitest';
import { decideAccess } from '../../router/access-rule.ts';
import { decideStatic } from '../../router/static-answer.ts';
import { RouteTable } from '../../router/route-table.ts';
import { parseAppManifest } from '../../sdk/contract/app-manifest/app-yaml.ts';
import { staticFiles } from './file-list.ts';
import { handlerSpec } from './route-feed.ts';

const PATHS = ['public/a.css', 'public/sub/b.html', 'images/x.png', 'images/y.gif', 'private/key.txt', 'public/plain'];
const FILES = PATHS.map((path, index) => ({ path, sha256: String(index).repeat(64), bytes: 10, executable: false }));

interface Asked {
  readonly isSecure?: boolean;
  readonly headers?: Record<string, string>;
}

/** What becomes of a request, in words; static files with the headers that matter. */
function outcome(handlers: string, path: string, { isSecure, headers = {} }: Asked = {}): string {
  const text = `runtime: nodejs\ndefault_expiration: 7m\nhandlers:\n${handlers}`;
  const manifest = parseAppManifest(text, 'app.yaml');
  const specs = manifest.handlers.map((handler) => handlerSpec(handler, manifest.defaultExpirationSeconds));
  const version = { version: 'v1', deploymentId: 'd1', handlers: specs, files: staticFiles(FILES, manifest.handlers) };
  const services = [{ service: 'default', split: { v1: 1 }, shardBy: 'ip' as const, versions: [version] }];
  const table = new RouteTable({ revision: 1, apps: [{ appId: 'shop', services }] }, 'localhost');
  const decision = table.resolve('shop.localhost', path, { address: '', cookie: undefined, isSecure, fraction: () => 0 });
  const access = 'access' in decision ? ` for ${decision.access.login}, else ${decision.access.onFailure}` : '';
  switch (decision.kind) {
    case 'static': {
      const request = { method: 'GET', headers, nowMs: 0, isPrivate: decision.access !== undefined };
      const answer = decideStatic(request, decision.path, decision.file, decision.options);
      const shown = ['Content-Type', 'Cache-Control', 'X-Own'].map((name) => answer.headers.indexOf(name)).filter((at) => at >= 0);
      return `${decision.path}, ${shown.map((at) => answer.headers[at + 1]).join(', ')}${access}`;
    }
    case 'redirect':
      return `${decision.status} to ${decision.scheme}`;
    case 'refused':
      return `${decision.code}${access}`;
    default:
      return `${decision.kind}${access}`;
  }
}

const CSS = 'text/css; charset=utf-8';
const dir = '- {url: /s, static_dir: public';
const files = '- {url: "/(.*)\\\\.(png|gif)", static_files: "images/\\\\1.\\\\2", upload: "images/.*\\\\.png"';

describe('handlers', () => {
  it.each<[string, string, string, Asked?]>([
    // url, script, order
    ['- {url: /a, script: auto}', '/a', 'app'],
    ['- {url: /a, script: auto}', '/ab', 'app'],
    ['- {url: /s/a.css, script: auto}\n' + `${dir}}`, '/s/a.css', 'app'],
    // static_dir
    [`${dir}}`, '/s/a.css', `public/a.css, ${CSS}, public, max-age=420`],
    [`${dir}}`, '/s/sub/b.html', 'public/sub/b.html, text/html; charset=utf-8, public, max-age=420'],
    [`${dir}}`, '/s/', 'ROUTE_STATIC_NOT_FOUND'],
    [`${dir}}`, '/s/sub', 'ROUTE_STATIC_NOT_FOUND'],
    [`${dir}}`, '/s', 'app'],
    ['- {url: /, static_dir: public}', '/a.css', `public/a.css, ${CSS}, public, max-age=420`],
    // static_files and upload: what `upload` does not name is not there
    [`${files}}`, '/x.png', 'images/x.png, image/png, public, max-age=420'],
    [`${files}}`, '/y.gif', 'ROUTE_STATIC_NOT_FOUND'],
    ['- {url: /(.*), static_files: \\1, upload: public/.*}', '/private/key.txt', 'ROUTE_STATIC_NOT_FOUND'],
    // mime_type
    [`${dir}, mime_type: text/x-own}`, '/s/a.css', 'public/a.css, text/x-own, public, max-age=420'],
    [`${dir}}`, '/s/plain', 'public/plain, application/octet-stream, public, max-age=420'],
    // expiration
    [`${dir}, expiration: 4d 5h}`, '/s/a.css', `public/a.css, ${CSS}, public, max-age=363600`],
    [`${dir}, expiration: 0s}`, '/s/a.css', `public/a.css, ${CSS}, no-cache, must-revalidate`],
    // http_headers
    [`${dir}, http_headers: {X-Own: "1", cache-control: no-store}}`, '/s/a.css', `public/a.css, ${CSS}, 1`],
    // require_matching_file
    [
      `${dir}, require_matching_file: true}\n- {url: /s/.*, static_files: public/plain, upload: public/plain}`,
      '/s/none',
      'public/plain, application/octet-stream, public, max-age=420',
    ],
    [`${dir}, require_matching_file: true}`, '/s/none', 'app'],
    // application_readable
    [`${dir}, application_readable: true}`, '/s/a.css', `public/a.css, ${CSS}, public, max-age=420`],
    // secure, redirect_http_response_code: 302 unless it says otherwise, for files as for scripts
    ['- {url: /.*, script: auto, secure: always}', '/x', '302 to https', { isSecure: false }],
    ['- {url: /.*, script: auto, secure: always}', '/x', 'app', { isSecure: true }],
    ['- {url: /.*, script: auto, secure: never}', '/x', '302 to http', { isSecure: true }],
    ['- {url: /.*, script: auto, secure: never}', '/x', 'app', { isSecure: false }],
    ['- {url: /.*, script: auto, secure: optional}', '/x', 'app', { isSecure: true }],
    [`${dir}, secure: always, redirect_http_response_code: 307}`, '/s/a.css', '307 to https', { isSecure: false }],
    ...(['301', '302', '303', '307'] as const).map((code): [string, string, string, Asked] => [
      `- {url: /.*, script: auto, secure: always, redirect_http_response_code: ${code}}`,
      '/x',
      `${code} to https`,
      { isSecure: false },
    ]),
    // login, auth_fail_action: files and missing files too, and no shared cache
    ['- {url: /.*, script: auto, login: required}', '/x', 'app for required, else redirect'],
    ['- {url: /.*, script: auto, login: admin, auth_fail_action: unauthorized}', '/x', 'app for admin, else unauthorized'],
    ['- {url: /.*, script: auto, login: optional}', '/x', 'app'],
    [`${dir}, login: required}`, '/s/a.css', `public/a.css, ${CSS}, private, no-cache for required, else redirect`],
    [`${dir}, login: required}`, '/s/none', 'ROUTE_STATIC_NOT_FOUND for required, else redirect'],
    // A redirect to https comes before the question who it is.
    ['- {url: /.*, script: auto, login: required, secure: always}', '/x', '302 to https', { isSecure: false }],
  ])('%s: %s is %s', (handlers, path, expected, asked) => expect(outcome(handlers, path, asked)).toBe(expected));

  it('login and auth_fail_action let in whom they name, and the platform itself', () => {
    const user = { userId: '1', email: 'a@example.com', isAdmin: false };
    const admin = { ...user, isAdmin: true };
    const rule = { login: 'admin', onFailure: 'redirect' } as const;
    expect(decideAccess(rule, undefined, false)).toBe('login');
    expect(decideAccess({ ...rule, onFailure: 'unauthorized' }, undefined, false)).toBe('LOGIN_REQUIRED');
    expect(decideAccess(rule, user, false)).toBe('ADMIN_REQUIRED');
    expect(decideAccess(rule, admin, false)).toBe('pass');
    expect(decideAccess(rule, undefined, true)).toBe('pass');
    expect(decideAccess({ ...rule, login: 'required' }, user, false)).toBe('pass');
  });
});
