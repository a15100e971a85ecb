// Signing in to the console, and the accounts of people.
//
//   POST   /sign-in            SignInRequest     → SessionView     (no token needed; sets the session cookie)
//   POST   /sign-in-links                        → SignInLinkView  (bearer only)
//   GET    /session                              → SessionView     (UNAUTHENTICATED without a session)
//   DELETE /session                              → {}
//   GET    /accounts                             → { accounts: AccountView[] }
//   POST   /accounts           AccountRequest    → AccountView
//   PATCH  /accounts/EMAIL     AccountChange     → AccountView
//   DELETE /accounts/EMAIL                       → {}
//
// A browser carries the session cookie instead of a bearer token; then every call that changes something must bear
// `X-Csrf-Token` with the session's csrfToken, else CSRF_REFUSED.

export interface SignInRequest {
  /** From the one-time link. */
  readonly code: string;
}

export interface SignInLinkView {
  readonly url: string;
  readonly expiresAtMs: number;
}

export interface SessionView {
  /** Who signed in; `owner` by the one-time link. */
  readonly user: string;
  readonly csrfToken: string;
  readonly expiresAtMs: number;
}

/** An account with which people sign in to apps. */
export interface AccountView {
  readonly email: string;
  readonly createdAtMs: number;
  /** Apps of which the account is an administrator; `*` is all of them. */
  readonly adminOf: readonly string[];
}

export interface AccountRequest {
  readonly email: string;
  readonly password: string;
  readonly adminOf?: readonly string[];
}

export interface AccountChange {
  readonly password?: string;
  readonly adminOf?: readonly string[];
}
