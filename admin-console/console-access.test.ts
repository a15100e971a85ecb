import { beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../sdk/contract/limits.ts';
import { SeededRandom, VirtualTime } from '../sdk/support/virtual-time.ts';
import { ConsoleAccess, isCsrfToken } from './console-access.ts';
import { MemorySecretFile } from './secret-file.ts';

let time: VirtualTime;
let files: { codes: MemorySecretFile; sessions: MemorySecretFile };
let random: SeededRandom;
let access: ConsoleAccess;

/** As after a restart of the process. */
const restarted = async (): Promise<ConsoleAccess> => {
  const next = new ConsoleAccess(files, time, random);
  await next.start();
  return next;
};
const signedIn = async (): Promise<string> => (await access.signIn((await access.makeCode()).code, 'here')).token;
const SIGN_IN_CODE_INVALID = { code: 'SIGN_IN_CODE_INVALID' };

beforeEach(async () => {
  time = new VirtualTime(1_800_000_000_000);
  random = new SeededRandom(1);
  files = { codes: new MemorySecretFile(), sessions: new MemorySecretFile() };
  access = await restarted();
});

describe('a sign-in code', () => {
  it('works once, of two at the same time for one', async () => {
    const { code } = await access.makeCode();
    const outcomes = await Promise.allSettled([access.signIn(code, 'a'), access.signIn(code, 'b')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await expect(access.signIn(code, 'a')).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
  });

  it('outlives a restart, and stays used after one', async () => {
    const [first, second] = [await access.makeCode(), await access.makeCode()];
    const later = await restarted();
    await later.signIn(first.code, 'a');
    const latest = await restarted();
    await expect(latest.signIn(first.code, 'a')).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
    await expect(latest.signIn(second.code, 'a')).resolves.toMatchObject({ view: { user: 'owner' } });
  });

  it('is kept only as a hash', async () => {
    const { code } = await access.makeCode();
    const { token } = await access.signIn((await access.makeCode()).code, 'a');
    expect(files.codes.text).not.toContain(code);
    expect(files.sessions.text).not.toContain(token);
    // Nor does a hash from the file open anything.
    const [hash = ''] = Object.keys(JSON.parse(files.codes.text ?? '') as object);
    await expect(access.signIn(hash, 'a')).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
    expect(access.sessionOf(Object.keys(JSON.parse(files.sessions.text ?? '') as object)[0] ?? '')).toBeUndefined();
  });

  it('expires', async () => {
    const { code, expiresAtMs } = await access.makeCode();
    expect(expiresAtMs - time.nowMs()).toBe(LIMITS.signInCodeMs);
    time.advance(LIMITS.signInCodeMs - 1);
    const last = await access.makeCode();
    time.advance(1);
    await expect(access.signIn(code, 'a')).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
    await access.signIn(last.code, 'a');
  });

  it(`is pushed out by ${LIMITS.signInCodesMax} younger ones`, async () => {
    const { code } = await access.makeCode();
    const { code: next } = await access.makeCode();
    for (let count = 0; count < LIMITS.signInCodesMax - 1; count++) await access.makeCode();
    await expect(access.signIn(code, 'a')).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
    await access.signIn(next, 'a');
  });

  it.each(['', 'x', '__proto__', 'a'.repeat(43), 'ä'.repeat(43)])('is not %j', async (code) => {
    await access.makeCode();
    await expect(access.signIn(code, 'a')).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
  });

  it('may be tried ten times a minute from one address, and a right one does not help after that', async () => {
    const { code } = await access.makeCode();
    for (let count = 0; count < LIMITS.signInFailuresMax; count++) {
      await expect(access.signIn('wrong', 'a')).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
    }
    await expect(access.signIn(code, 'a')).rejects.toMatchObject({ code: 'LOGIN_TOO_OFTEN' });
    const { code: other } = await access.makeCode();
    await access.signIn(other, 'b');
    time.advance(LIMITS.signInFailureWindowMs);
    await access.signIn(code, 'a');
  });

  it('is counted with its IPv6 neighbours, and not at all when it is right', async () => {
    for (let count = 0; count < LIMITS.signInFailuresMax + 5; count++) await access.signIn((await access.makeCode()).code, '2001:db8::1');
    for (let count = 0; count < LIMITS.signInFailuresMax; count++) {
      await expect(access.signIn('wrong', `2001:db8::${count + 1}`)).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
    }
    await expect(access.signIn('wrong', '2001:db8::ffff')).rejects.toMatchObject({ code: 'LOGIN_TOO_OFTEN' });
    await expect(access.signIn('wrong', '2001:db8:1::1')).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
  });

  it('is gone with a damaged file, and the rest works', async () => {
    const { code } = await access.makeCode();
    files.codes.text = '{"half';
    const later = await restarted();
    await expect(later.signIn(code, 'a')).rejects.toMatchObject(SIGN_IN_CODE_INVALID);
    await later.signIn((await later.makeCode()).code, 'a');
  });

  it('signs nobody in when its use cannot be written down', async () => {
    const { code } = await access.makeCode();
    files.codes.write = () => Promise.reject(new Error('disk full'));
    await expect(access.signIn(code, 'a')).rejects.toThrow('disk full');
    expect(files.sessions.text).toBeUndefined();
  });
});

describe('a session', () => {
  it('outlives a restart, with the same CSRF token', async () => {
    const token = await signedIn();
    const view = access.sessionOf(token);
    expect(view).toMatchObject({ user: 'owner', expiresAtMs: time.nowMs() + LIMITS.consoleSessionMs });
    expect((await restarted()).sessionOf(token)).toEqual(view);
  });

  it('has a CSRF token of its own', async () => {
    const [one, other] = [access.sessionOf(await signedIn()), access.sessionOf(await signedIn())];
    if (!one || !other) throw new Error('no session');
    expect(isCsrfToken(one, one.csrfToken)).toBe(true);
    for (const wrong of [undefined, '', other.csrfToken, `${one.csrfToken}x`, one.csrfToken.toLowerCase()]) {
      expect(isCsrfToken(one, wrong)).toBe(false);
    }
  });

  it('ends after twelve hours however much it is used', async () => {
    const token = await signedIn();
    const step = LIMITS.consoleSessionIdleMs / 2;
    for (let spentMs = step; spentMs < LIMITS.consoleSessionMs; spentMs += step) {
      time.advance(step);
      expect(access.sessionOf(token)).toBeDefined();
    }
    time.advance(step);
    expect(access.sessionOf(token)).toBeUndefined();
    expect((await restarted()).sessionOf(token)).toBeUndefined();
  });

  it('ends when it is not used, also when that was before a restart', async () => {
    const [unused, used] = [await signedIn(), await signedIn()];
    time.advance(LIMITS.consoleSessionIdleMs - 1);
    access.sessionOf(used);
    time.advance(1);
    access = await restarted();
    expect(access.sessionOf(unused)).toBeUndefined();
    expect(access.sessionOf(used)).toBeDefined();
  });

  it('ends when it is signed out, for good', async () => {
    const [token, other] = [await signedIn(), await signedIn()];
    await access.signOut(token);
    await access.signOut(token);
    expect(access.sessionOf(token)).toBeUndefined();
    expect((await restarted()).sessionOf(token)).toBeUndefined();
    expect(access.sessionOf(other)).toBeDefined();
  });

  it(`is signed out by ${LIMITS.consoleSessionsMax} younger ones`, async () => {
    const [first, second] = [await signedIn(), await signedIn()];
    for (let count = 0; count < LIMITS.consoleSessionsMax - 1; count++) await signedIn();
    expect(access.sessionOf(first)).toBeUndefined();
    expect(access.sessionOf(second)).toBeDefined();
  });
});
