// `/_ah/login` and `/_ah/logout` on every app's own host: answered here, never by the app.
//
//   GET  login    the form                         POST login    LOGIN_FAILED: the form again; else the cookie, then on
//   GET  logout   from the app's own pages: signed out and on; from elsewhere: a page that asks
//   POST logout   signed out and on
//
// A POST counts only from a form of ours: Origin, Sec-Fetch-Site, then a signed token in the form that fits a cookie.
import { type Clock, type Random } from '../sdk/support/clock.ts';
import { ERRORS, PlatformError, toPlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type ClientRequest } from './client-exchange.ts';
import { continueTarget } from './continue-target.ts';
import { readForm } from './form-body.ts';
import { FormTokens } from './form-token.ts';
import { parseHost } from './host-name.ts';
import { type Accounts } from './ports.ts';
import { type RequestHead } from './request-guard.ts';
import { cookieValues, FORM_COOKIE, setCookie } from './session-cookie.ts';
import { type Sessions } from './sessions.ts';
import { renderSignIn, renderSignOut, signInPageHeaders } from './sign-in-page.ts';

export type SignInPageName = 'login' | 'logout';

export interface SignInRequest {
  readonly page: SignInPageName;
  readonly appId: string;
  readonly request: ClientRequest;
  readonly head: RequestHead;
  readonly isHttps: boolean;
  readonly clientAddress: string;
  readonly signal: AbortSignal;
}

export interface SignInAnswer {
  readonly status: number;
  /** Names and values in turn, with Content-Length. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

const METHODS = 'GET, HEAD, POST';
const STALE_FORM = 'The page was open for too long, or your browser keeps no cookies. Please try again.';
const RETRY_AFTER_SECONDS = 60;
const NOTHING = Buffer.alloc(0);

export class SignIn {
  readonly #accounts: Accounts;
  readonly #sessions: Sessions;
  readonly #forms: FormTokens;

  constructor(key: Buffer, accounts: Accounts, sessions: Sessions, clock: Clock, random: Random) {
    this.#accounts = accounts;
    this.#sessions = sessions;
    this.#forms = new FormTokens(key, clock, random);
  }

  /** Throws ROUTE_METHOD_NOT_ALLOWED, LOGIN_REDIRECT_REFUSED, ROUTE_BODY_TOO_LARGE, ROUTE_STARTING, CANCELLED. */
  async answer(asked: SignInRequest): Promise<SignInAnswer> {
    const { head, page } = asked;
    switch (head.method) {
      case 'GET':
      case 'HEAD': {
        const query = new URL(head.target, 'http://app').searchParams;
        const continueTo = continueTarget(query.get('continue') ?? undefined, head.host);
        return page === 'login' ? this.#signInPage(asked, continueTo) : this.#signOutByLink(asked, continueTo);
      }
      case 'POST': {
        const form = await readForm(asked.request, LIMITS.loginBodyBytesMax);
        const continueTo = continueTarget(form.get('continue') ?? undefined, head.host);
        return page === 'login' ? this.#signIn(asked, form, continueTo) : this.#signOut(asked, form, continueTo);
      }
      default:
        throw new PlatformError('ROUTE_METHOD_NOT_ALLOWED', undefined, { details: { allow: METHODS } });
    }
  }

  async #signIn(asked: SignInRequest, form: URLSearchParams, continueTo: string): Promise<SignInAnswer> {
    const { appId, clientAddress, isHttps, signal } = asked;
    const email = (form.get('email') ?? '').slice(0, LIMITS.accountEmailCharactersMax);
    if (!this.#isOurForm(asked, form)) return this.#signInPage(asked, continueTo, { status: 403, notice: STALE_FORM, email });
    try {
      const credentials = { email, password: form.get('password') ?? '', asAdmin: form.get('admin') === '1' };
      const who = await this.#accounts.signIn({ appId, clientAddress, ...credentials }, { signal });
      return redirect(303, continueTo, this.#sessions.begin(appId, who, isHttps), setCookie(FORM_COOKIE, '', isHttps, 0));
    } catch (thrown) {
      const { code } = toPlatformError(thrown);
      if (code !== 'LOGIN_FAILED' && code !== 'LOGIN_TOO_OFTEN') throw thrown;
      const { httpStatus, message, mend } = ERRORS[code];
      return this.#signInPage(asked, continueTo, { status: httpStatus, notice: `${message}. ${mend}.`, email });
    }
  }

  #signInPage(
    asked: SignInRequest,
    continueTo: string,
    failed?: { readonly status: number; readonly notice: string; readonly email: string },
  ): SignInAnswer {
    const visitor = this.#visitorOf(asked);
    const { nonce, formToken } = this.#newForm(asked);
    const html = renderSignIn({
      host: hostName(asked),
      kind: this.#accounts.kind,
      continueTo,
      formToken,
      email: failed?.email ?? (this.#accounts.kind === 'development' ? 'test@example.com' : ''),
      ...(visitor ? { signedInAs: visitor.email } : {}),
      ...(failed ? { notice: failed.notice } : {}),
    });
    return page(asked, failed?.status ?? 200, html, nonce);
  }

  /** A link on the app's own page, or an address typed in, is the visitor's wish; a picture on a foreign page is not. */
  #signOutByLink(asked: SignInRequest, continueTo: string): SignInAnswer {
    const { 'sec-fetch-site': site, 'sec-fetch-mode': mode } = asked.request.headers;
    const isWish = mode === 'navigate' && (site === 'same-origin' || site === 'none');
    const visitor = this.#visitorOf(asked);
    if (isWish || !visitor) return redirect(302, continueTo, this.#sessions.end(asked.isHttps));
    return this.#signOutPage(asked, continueTo, visitor.email, 200);
  }

  #signOut(asked: SignInRequest, form: URLSearchParams, continueTo: string): SignInAnswer {
    const visitor = this.#visitorOf(asked);
    if (visitor && !this.#isOurForm(asked, form)) return this.#signOutPage(asked, continueTo, visitor.email, 403, STALE_FORM);
    return redirect(303, continueTo, this.#sessions.end(asked.isHttps), setCookie(FORM_COOKIE, '', asked.isHttps, 0));
  }

  #signOutPage(asked: SignInRequest, continueTo: string, signedInAs: string, status: number, notice?: string): SignInAnswer {
    const { nonce, formToken } = this.#newForm(asked);
    const html = renderSignOut({ host: hostName(asked), continueTo, formToken, signedInAs, ...(notice ? { notice } : {}) });
    return page(asked, status, html, nonce);
  }

  #newForm(asked: SignInRequest): { readonly nonce: string; readonly formToken: string } {
    const nonce = this.#forms.nonceFor(nonceOf(asked));
    return { nonce, formToken: this.#forms.issue(asked.appId, asked.page, nonce) };
  }

  #isOurForm(asked: SignInRequest, form: URLSearchParams): boolean {
    const { origin, 'sec-fetch-site': site } = asked.request.headers;
    if (site !== undefined && site !== 'same-origin') return false;
    if (origin !== undefined && !isOriginOf(origin, asked.head.host)) return false;
    return this.#forms.accepts(asked.appId, asked.page, nonceOf(asked), form.get('form_token') ?? undefined);
  }

  #visitorOf({ appId, request, isHttps }: SignInRequest): ReturnType<Sessions['visitorOf']> {
    return this.#sessions.visitorOf(appId, request.headers.cookie, isHttps);
  }
}

/** Where a visitor is sent who must sign in first, to come back to what was asked for. */
export function loginRedirectHeaders(head: RequestHead): string[] {
  const { target } = head;
  const fits = target.length <= LIMITS.loginUrlCharactersMax && target.startsWith('/') && !target.startsWith('//');
  return redirect(302, `/_ah/login?continue=${encodeURIComponent(fits ? target : '/')}`).headers as string[];
}

function nonceOf({ request, isHttps }: SignInRequest): string | undefined {
  return cookieValues(request.headers.cookie, FORM_COOKIE, isHttps)[0];
}

function hostName({ head }: SignInRequest): string {
  return parseHost(head.host)?.name ?? head.host;
}

/** By host and port alone: behind a proxy that ends TLS the scheme is not what this process sees. */
function isOriginOf(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: found } = new URL(origin);
  return URL.canParse(`${protocol}//${host}`) && new URL(`${protocol}//${host}`).host === found;
}

function page(asked: SignInRequest, status: number, html: string, nonce: string): SignInAnswer {
  const body = Buffer.from(html);
  const headers = signInPageHeaders(body.length);
  headers.push('Set-Cookie', setCookie(FORM_COOKIE, nonce, asked.isHttps, Math.floor(LIMITS.loginFormMs / 1_000)));
  if (status === 429) headers.push('Retry-After', String(RETRY_AFTER_SECONDS));
  return { status, headers, body: asked.head.method === 'HEAD' ? NOTHING : body };
}

function redirect(status: 302 | 303, target: string, ...cookies: readonly string[]): SignInAnswer {
  const headers = ['Location', target, 'Content-Length', '0', 'Cache-Control', 'no-store'];
  for (const cookie of cookies) headers.push('Set-Cookie', cookie);
  return { status, headers, body: NOTHING };
}
