// Who sends a request: the session cookie, checked here and now. A request without one costs nothing.
import { type Clock } from '../sdk/support/clock.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Visitor } from './access-rule.ts';
import { type Accounts, type SignedIn } from './ports.ts';
import { cookieValues, SESSION_COOKIE, setCookie } from './session-cookie.ts';
import { SessionTokens } from './session-token.ts';

export class Sessions {
  readonly #tokens: SessionTokens;
  readonly #accounts: Accounts;
  readonly #clock: Clock;

  constructor(key: Buffer, accounts: Accounts, clock: Clock) {
    this.#tokens = new SessionTokens(key);
    this.#accounts = accounts;
    this.#clock = clock;
  }

  /** Undefined for nobody: no cookie, or one that is forged, expired, of another app, or ended by a change of its account. */
  visitorOf(appId: string, cookie: string | undefined, isHttps: boolean): Visitor | undefined {
    for (const token of cookieValues(cookie, SESSION_COOKIE, isHttps)) {
      const session = this.#tokens.open(appId, token, this.#clock.nowMs());
      if (session && this.#accounts.epochOf(session.userId) === session.epoch) return session;
    }
    return undefined;
  }

  /** A new session as a Set-Cookie value. */
  begin(appId: string, who: SignedIn, isHttps: boolean): string {
    const token = this.#tokens.seal(appId, { ...who, expiresAtMs: this.#clock.nowMs() + LIMITS.sessionMs });
    return setCookie(SESSION_COOKIE, token, isHttps, Math.floor(LIMITS.sessionMs / 1_000));
  }

  /** What removes the cookie. */
  end(isHttps: boolean): string {
    return setCookie(SESSION_COOKIE, '', isHttps, 0);
  }
}
