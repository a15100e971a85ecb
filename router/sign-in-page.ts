// The pages of signing in and out, as HTML: no script, one style, fit for 375 pixels, the keyboard and both colour schemes.
import { LIMITS } from '../sdk/contract/limits.ts';
import { escapeHtml, PAGE_STYLE, pageHtml, pageSecurityHeaders } from './page-frame.ts';

const STYLE = `${PAGE_STYLE}
main{width:min(24rem,100vw)}
form{display:grid;gap:.5rem;margin-top:1rem}
label{font-weight:600}
input:not([type=checkbox]){box-sizing:border-box;width:100%;min-height:2.75rem;padding:.5rem .75rem;font:inherit;color:inherit;
background:transparent;border:1px solid var(--soft);border-radius:.375rem;margin-bottom:.5rem}
label.choice{display:flex;gap:.625rem;align-items:center;min-height:2.75rem;font-weight:400}
input[type=checkbox]{width:1.25rem;height:1.25rem;margin:0;accent-color:var(--mark)}
button{min-height:2.75rem;padding:.5rem 1rem;font:inherit;font-weight:600;border:0;border-radius:.375rem;cursor:pointer;
background:var(--mark);color:var(--paper)}
:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
p.notice{padding:.625rem .75rem;border-left:4px solid #c62f3e;background:color-mix(in srgb,#c62f3e 12%,transparent)}
p.soft{color:var(--soft)}`;

/** With `same-origin`, since a browser under no-referrer would send the form with `Origin: null`. */
const SECURITY_HEADERS = pageSecurityHeaders(STYLE, { formAction: "'self'", referrerPolicy: 'same-origin' });

export interface SignInPage {
  /** Host name of the app, for people. */
  readonly host: string;
  readonly kind: 'password' | 'development';
  readonly continueTo: string;
  readonly formToken: string;
  /** What the visitor typed before. */
  readonly email: string;
  /** Who is signed in already. */
  readonly signedInAs?: string;
  /** Why the last try failed. */
  readonly notice?: string;
}

export interface SignOutPage {
  readonly host: string;
  readonly continueTo: string;
  readonly formToken: string;
  readonly signedInAs: string;
  readonly notice?: string;
}

/** Names and values in turn, for a page of that length. */
export function signInPageHeaders(bytes: number): string[] {
  return ['Content-Type', 'text/html; charset=utf-8', 'Content-Length', String(bytes), ...SECURITY_HEADERS];
}

export function renderSignIn(page: SignInPage): string {
  const { kind, host, email, signedInAs, notice } = page;
  const isDevelopment = kind === 'development';
  const second = isDevelopment
    ? '<label class="choice"><input type="checkbox" name="admin" value="1"> Sign in as an administrator</label>'
    : `<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="${LIMITS.accountPasswordBytesMax}">`;
  const invalid = notice === undefined ? '' : ' aria-describedby="notice"';
  return pageHtml(
    `Sign in to ${host}`,
    STYLE,
    `<p class="status">${escapeHtml(host)}</p>
<h1>Sign in</h1>
${signedInAs === undefined ? '' : `<p class="soft">You are signed in as ${escapeHtml(signedInAs)}.</p>\n`}${noticeHtml(notice)}<form method="post" action="/_ah/login">
${hidden(page)}
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="username" value="${escapeHtml(email)}" required autofocus maxlength="${LIMITS.accountEmailCharactersMax}"${invalid}>
${second}
<button type="submit">Sign in</button>
</form>
<footer>${
      isDevelopment
        ? 'A development server: any address signs in, and no password is asked for.'
        : 'Accounts are made by whoever runs this server.'
    }</footer>`,
  );
}

export function renderSignOut(page: SignOutPage): string {
  const { host, signedInAs, notice } = page;
  return pageHtml(
    `Sign out of ${host}`,
    STYLE,
    `<p class="status">${escapeHtml(host)}</p>
<h1>Sign out</h1>
${noticeHtml(notice)}<p>You are signed in as ${escapeHtml(signedInAs)}.</p>
<form method="post" action="/_ah/logout">
${hidden(page)}
<button type="submit">Sign out</button>
</form>`,
  );
}

function hidden({ continueTo, formToken }: { readonly continueTo: string; readonly formToken: string }): string {
  return `<input type="hidden" name="continue" value="${escapeHtml(continueTo)}">
<input type="hidden" name="form_token" value="${escapeHtml(formToken)}">`;
}

function noticeHtml(notice: string | undefined): string {
  return notice === undefined ? '' : `<p class="notice" id="notice" role="alert">${escapeHtml(notice)}</p>\n`;
}
