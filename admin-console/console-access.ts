// Who may use the console from a browser: one-time codes become sessions, and sessions end.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { type SessionView } from '../sdk/contract/admin/session.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { addressKey, AttemptLimit } from '../sdk/support/attempt-limit.ts';
import { type Clock, type Random } from '../sdk/support/clock.ts';
import { type SecretFile } from './secret-file.ts';
import { SecretRecords } from './secret-records.ts';

/** 256 bits: nobody guesses one. */
const SECRET_BYTES = 32;
const SECRET_PATTERN = /^[A-Za-z0-9_-]{43}$/;
/** How much older the time of use on disk may be than the true one; writing it at each request would cost an fsync each. */
const TOUCH_MS = 60_000;
const OWNER = 'owner';

const codeRecord = z.object({ expiresAtMs: z.number() });
const sessionRecord = z.object({ user: z.string(), expiresAtMs: z.number(), usedAtMs: z.number() });

export interface SignInCode {
  readonly code: string;
  readonly expiresAtMs: number;
}

export interface StartedSession {
  /** What the browser's cookie carries; known to it alone. */
  readonly token: string;
  readonly view: SessionView;
}

export interface AccessFiles {
  readonly codes: SecretFile;
  readonly sessions: SecretFile;
}

/** Both outlive this process: a used code stays used, and whoever is signed in stays so. */
export class ConsoleAccess {
  readonly #codes: SecretRecords<z.infer<typeof codeRecord>>;
  readonly #sessions: SecretRecords<z.infer<typeof sessionRecord>>;
  readonly #attempts: AttemptLimit;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(files: AccessFiles, clock: Clock, random: Random) {
    this.#codes = new SecretRecords(files.codes, codeRecord);
    this.#sessions = new SecretRecords(files.sessions, sessionRecord);
    this.#attempts = new AttemptLimit(clock, {
      max: LIMITS.signInFailuresMax,
      windowMs: LIMITS.signInFailureWindowMs,
      keysMax: LIMITS.signInAddressesMax,
    });
    this.#clock = clock;
    this.#random = random;
  }

  async start(): Promise<void> {
    await this.#codes.load();
    await this.#sessions.load();
  }

  /** A code for one sign-in within `signInCodeMs`. The oldest of `signInCodesMax` goes. */
  async makeCode(): Promise<SignInCode> {
    const nowMs = this.#clock.nowMs();
    for (const [hash, { expiresAtMs }] of this.#codes.entries()) if (expiresAtMs <= nowMs) this.#codes.dropHash(hash);
    dropOldest(this.#codes, LIMITS.signInCodesMax - 1);
    const code = this.#secret();
    const expiresAtMs = nowMs + LIMITS.signInCodeMs;
    this.#codes.set(code, { expiresAtMs });
    await this.#codes.save();
    return { code, expiresAtMs };
  }

  /**
   * Uses the code up. `address` is the caller's: too many failures from one close it for a while.
   * Throws SIGN_IN_CODE_INVALID, LOGIN_TOO_OFTEN.
   */
  async signIn(code: string, address: string): Promise<StartedSession> {
    const caller = addressKey(address);
    if (!this.#attempts.take(caller)) throw new PlatformError('LOGIN_TOO_OFTEN');
    const record = SECRET_PATTERN.test(code) ? this.#codes.take(code) : undefined;
    const nowMs = this.#clock.nowMs();
    if (!record || record.expiresAtMs <= nowMs) throw new PlatformError('SIGN_IN_CODE_INVALID');
    this.#attempts.giveBack(caller);
    // On disk before anything comes of it: a restart must not revive the code.
    await this.#codes.save();
    for (const [hash, session] of this.#sessions.entries()) if (isOver(session, nowMs)) this.#sessions.dropHash(hash);
    dropOldest(this.#sessions, LIMITS.consoleSessionsMax - 1);
    const token = this.#secret();
    const session = { user: OWNER, expiresAtMs: nowMs + LIMITS.consoleSessionMs, usedAtMs: nowMs };
    this.#sessions.set(token, session);
    await this.#sessions.save();
    return { token, view: viewOf(token, session) };
  }

  /** The live session of a cookie, used now; undefined when it is forged, ended or expired. */
  sessionOf(token: string): SessionView | undefined {
    const session = SECRET_PATTERN.test(token) ? this.#sessions.get(token) : undefined;
    if (!session) return undefined;
    const nowMs = this.#clock.nowMs();
    if (isOver(session, nowMs)) {
      this.#sessions.take(token);
      void this.#sessions.save().catch(() => undefined);
      return undefined;
    }
    if (nowMs - session.usedAtMs >= TOUCH_MS) {
      this.#sessions.set(token, { ...session, usedAtMs: nowMs });
      // Lost at worst: then the session ends a little early.
      void this.#sessions.save().catch(() => undefined);
    }
    return viewOf(token, session);
  }

  async signOut(token: string): Promise<void> {
    if (this.#sessions.take(token)) await this.#sessions.save();
  }

  #secret(): string {
    return this.#random.bytes(SECRET_BYTES).toString('base64url');
  }
}

/** Compares in a time that does not depend on how much of it is right. */
export function isCsrfToken(view: SessionView, given: string | undefined): boolean {
  const wanted = Buffer.from(view.csrfToken);
  const found = Buffer.from(given ?? '');
  return found.length === wanted.length && timingSafeEqual(found, wanted);
}

/** Derived, so that nothing more is kept: who knows the cookie's token knows the session anyway. */
function viewOf(token: string, { user, expiresAtMs }: z.infer<typeof sessionRecord>): SessionView {
  return { user, csrfToken: createHmac('sha256', token).update('csrf').digest('base64url'), expiresAtMs };
}

function isOver({ expiresAtMs, usedAtMs }: z.infer<typeof sessionRecord>, nowMs: number): boolean {
  return nowMs >= expiresAtMs || nowMs - usedAtMs >= LIMITS.consoleSessionIdleMs;
}

function dropOldest<T extends object>(records: SecretRecords<T>, keep: number): void {
  for (const [hash] of records.entries().slice(0, Math.max(0, records.size - keep))) records.dropHash(hash);
}
