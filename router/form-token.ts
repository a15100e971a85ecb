// Proof that a form was loaded here, by this browser, not long ago: half of it is in a cookie, half in the form, and
// the form's half is signed, so that a foreign page can make neither (cross-site request forgery).
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Clock, type Random } from '../sdk/support/clock.ts';
import { LIMITS } from '../sdk/contract/limits.ts';

const NONCE = /^[0-9a-f]{32}$/;
const TOKEN = /^(\d{1,16})\.([A-Za-z0-9_-]{43})$/;

export class FormTokens {
  readonly #key: Buffer;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(key: Buffer, clock: Clock, random: Random) {
    this.#key = key;
    this.#clock = clock;
    this.#random = random;
  }

  /** The browser's nonce, or a new one for a browser that has none. */
  nonceFor(known: string | undefined): string {
    return known !== undefined && NONCE.test(known) ? known : this.#random.bytes(16).toString('hex');
  }

  /** The form's half. `page` is what the form does. */
  issue(appId: string, page: string, nonce: string): string {
    const expiresAtMs = String(this.#clock.nowMs() + LIMITS.loginFormMs);
    return `${expiresAtMs}.${this.#mac(appId, page, nonce, expiresAtMs).toString('base64url')}`;
  }

  accepts(appId: string, page: string, nonce: string | undefined, token: string | undefined): boolean {
    const parts = TOKEN.exec(token ?? '');
    if (!parts || nonce === undefined || !NONCE.test(nonce)) return false;
    const [, expiresAtMs = '', mac = ''] = parts;
    const isOurs = timingSafeEqual(Buffer.from(mac, 'base64url'), this.#mac(appId, page, nonce, expiresAtMs));
    return isOurs && this.#clock.nowMs() < Number(expiresAtMs);
  }

  #mac(appId: string, page: string, nonce: string, expiresAtMs: string): Buffer {
    return createHmac('sha256', this.#key).update(`form\0${appId}\0${page}\0${nonce}\0${expiresAtMs}`).digest();
  }
}
