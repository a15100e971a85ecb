// Session tokens: who has signed in to one app, signed, so that the router believes them without asking anybody.
//
//   token   := "v1." claims "." mac          both base64url without padding
//   claims  := JSON {"u": user id, "e": e-mail, "a": administrator, "n": epoch, "x": expiry in ms since 1970}
//   mac     := HMAC-SHA256(key, "session" NUL app id NUL claims)
//
// The app's id is signed and not written: a token of one app is noise at another. The epoch is the account's when it signed
// in; it grows with each change of the account, which ends the sessions before it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Visitor } from './access-rule.ts';

export interface Session extends Visitor {
  readonly epoch: number;
  /** Wall clock. */
  readonly expiresAtMs: number;
}

const FORM = /^v1\.([A-Za-z0-9_-]{1,1024})\.([A-Za-z0-9_-]{43})$/;

export class SessionTokens {
  readonly #key: Buffer;

  /** `key`: 32 bytes that never leave the machine. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  seal(appId: string, { userId, email, isAdmin, epoch, expiresAtMs }: Session): string {
    const claims = Buffer.from(JSON.stringify({ u: userId, e: email, a: isAdmin, n: epoch, x: expiresAtMs })).toString('base64url');
    return `v1.${claims}.${this.#mac(appId, claims).toString('base64url')}`;
  }

  /** Undefined for what was not sealed here for this app, and for what has expired. */
  open(appId: string, token: string, nowMs: number): Session | undefined {
    const parts = FORM.exec(token);
    const claims = parts?.[1];
    if (claims === undefined) return undefined;
    // The form makes both 32 bytes, so comparing takes one time whatever was given.
    if (!timingSafeEqual(Buffer.from(parts?.[2] ?? '', 'base64url'), this.#mac(appId, claims))) return undefined;
    // Nobody else can have written them.
    const { u, e, a, n, x } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Claims;
    return nowMs < x ? { userId: u, email: e, isAdmin: a, epoch: n, expiresAtMs: x } : undefined;
  }

  #mac(appId: string, claims: string): Buffer {
    return createHmac('sha256', this.#key).update(`session\0${appId}\0${claims}`).digest();
  }
}

interface Claims {
  readonly u: string;
  readonly e: string;
  readonly a: boolean;
  readonly n: number;
  readonly x: number;
}
