import { beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { MemoryAccountStore } from '../backends/account-store-memory.ts';
import { PlainPasswordHash } from '../backends/password-hash-plain.ts';
import { accountsService } from './accounts-wire.ts';
import { type AccountEpochs, Accounts, type PasswordSignIn } from './accounts.ts';
import { RpcAccounts } from './rpc-accounts.ts';

let time: VirtualTime;
let store: MemoryAccountStore;
let passwords: PlainPasswordHash;
let accounts: Accounts;

const newAccounts = async (): Promise<Accounts> => {
  const made = new Accounts(store, passwords, time, systemRandom);
  await made.start();
  return made;
};
const form = (changes: Partial<PasswordSignIn> = {}): PasswordSignIn => ({
  appId: 'shop',
  email: 'ada@example.com',
  password: 'difference',
  clientAddress: '192.0.2.1',
  ...changes,
});

beforeEach(async () => {
  time = new VirtualTime();
  store = new MemoryAccountStore();
  passwords = new PlainPasswordHash();
  accounts = await newAccounts();
  await accounts.add({ email: 'Ada@Example.com', password: 'difference', adminOf: ['shop'] });
});

describe('accounts', () => {
  it('are there after a restart, by the normal form of their address', async () => {
    const [view] = await (await newAccounts()).list();
    expect(view).toEqual({ email: 'ada@example.com', adminOf: ['shop'], createdAtMs: time.nowMs() });
    expect((await (await newAccounts()).signIn(form())).email).toBe('ada@example.com');
  });

  it.each([
    [{ email: 'ada', password: 'difference' }, 'ACCOUNT_INVALID'],
    [{ email: 'ADA@example.com', password: 'difference' }, 'ACCOUNT_EXISTS'],
    [{ email: 'eve@example.com', password: 'short' }, 'ACCOUNT_INVALID'],
    [{ email: 'eve@example.com', password: 'x'.repeat(LIMITS.accountPasswordBytesMax + 1) }, 'ACCOUNT_INVALID'],
    [{ email: 'eve@example.com', password: 'difference', adminOf: ['../x'] }, 'ACCOUNT_INVALID'],
    [{ email: 'eve@example.com', password: 'difference', adminOf: Array.from({ length: 1_001 }, () => 'shop') }, 'ACCOUNT_INVALID'],
  ])('refuses %#', async (request, code) => {
    await expect(accounts.add(request)).rejects.toMatchObject({ code });
    expect(await accounts.list()).toHaveLength(1);
  });

  it('are as many as there may be and no more', async () => {
    for (let count = 1; count < LIMITS.accountsMax; count++) await accounts.add({ email: `u${count}@x.org`, password: 'difference' });
    await expect(accounts.add({ email: 'one@more.org', password: 'difference' })).rejects.toMatchObject({ code: 'ACCOUNT_INVALID' });
  });

  it('name the administrators of an app', async () => {
    await accounts.add({ email: 'root@example.com', password: 'difference', adminOf: ['*', '*'] });
    await accounts.add({ email: 'eve@example.com', password: 'difference' });
    expect(await accounts.administratorsOf('shop')).toEqual(['ada@example.com', 'root@example.com']);
    expect(await accounts.administratorsOf('blog')).toEqual(['root@example.com']);
  });

  it('refuse to change or delete what is not there', async () => {
    await expect(accounts.change('eve@example.com', {})).rejects.toMatchObject({ code: 'ACCOUNT_NOT_FOUND' });
    await expect(accounts.delete('eve@example.com')).rejects.toMatchObject({ code: 'ACCOUNT_NOT_FOUND' });
  });

  it('make changes one after another', async () => {
    const changes = await Promise.all(['a', 'b', 'c'].map((app) => accounts.change('ada@example.com', { adminOf: [app] })));
    expect(changes.map(({ adminOf }) => adminOf)).toEqual([['a'], ['b'], ['c']]);
    expect((await accounts.signIn(form())).epoch).toBe(4);
  });
});

describe('signing in', () => {
  it('says who it is, and whether an administrator of that app', async () => {
    const identity = await accounts.signIn(form({ email: ' ADA@example.com ' }));
    expect(identity).toMatchObject({ email: 'ada@example.com', isAdmin: true, epoch: 1 });
    expect(identity.userId).toMatch(/^2\d{20}$/);
    expect((await accounts.signIn(form({ appId: 'blog' }))).isAdmin).toBe(false);
  });

  it.each([
    { password: 'wrong' },
    { password: '' },
    { email: 'nobody@example.com' },
    { email: 'no address' },
    { password: 'x'.repeat(LIMITS.accountPasswordBytesMax + 1) },
  ])('fails alike for %#, after looking at one password', async (changes) => {
    await expect(accounts.signIn(form(changes))).rejects.toMatchObject({
      code: 'LOGIN_FAILED',
      message: 'The e-mail address or the password is wrong',
    });
    expect(passwords.verified).toBe(1);
  });

  it('keeps the id through changes and gives it to nobody else', async () => {
    const { userId } = await accounts.signIn(form());
    await accounts.change('ada@example.com', { password: 'analytical' });
    await expect(accounts.signIn(form())).rejects.toMatchObject({ code: 'LOGIN_FAILED' });
    expect(await accounts.signIn(form({ password: 'analytical' }))).toMatchObject({ userId, epoch: 2 });
    await accounts.delete('ada@example.com');
    await accounts.add({ email: 'ada@example.com', password: 'difference' });
    expect((await accounts.signIn(form())).userId).not.toBe(userId);
  });

  it('is refused for a while after too many failures at one account, from anywhere', async () => {
    for (let count = 0; count < LIMITS.loginAttemptsPerAccountMax; count++) {
      const wrong = form({ password: 'wrong', clientAddress: `192.0.2.${count}` });
      await expect(accounts.signIn(wrong)).rejects.toMatchObject({ code: 'LOGIN_FAILED' });
    }
    await expect(accounts.signIn(form({ clientAddress: '192.0.2.99' }))).rejects.toMatchObject({ code: 'LOGIN_TOO_OFTEN' });
    time.advance(LIMITS.loginAttemptsWindowMs);
    expect((await accounts.signIn(form())).email).toBe('ada@example.com');
  });

  it('is refused for a while after too many failures from one address, at any account', async () => {
    for (let count = 0; count < LIMITS.loginAttemptsPerAddressMax; count++) {
      const guess = form({ email: `guess${count}@example.com`, clientAddress: `2001:db8:1:2::${count.toString(16)}` });
      await expect(accounts.signIn(guess)).rejects.toMatchObject({ code: 'LOGIN_FAILED' });
    }
    await expect(accounts.signIn(form({ clientAddress: '2001:db8:1:2:ffff::1' }))).rejects.toMatchObject({ code: 'LOGIN_TOO_OFTEN' });
    expect((await accounts.signIn(form({ clientAddress: '2001:db8:1:3::1' }))).email).toBe('ada@example.com');
  });

  it('counts no successes', async () => {
    for (let count = 0; count < LIMITS.loginAttemptsPerAddressMax * 2; count++) await accounts.signIn(form());
  });

  it('hashes few passwords at a time and lets few wait', async () => {
    let running = 0;
    let runningMost = 0;
    const release: (() => void)[] = [];
    passwords.verify = () => {
      runningMost = Math.max(runningMost, ++running);
      return new Promise((resolve) =>
        release.push(() => {
          running--;
          resolve(true);
        }),
      );
    };
    const room = LIMITS.passwordHashesRunningMax + LIMITS.passwordHashesWaitingMax;
    const tries = Array.from({ length: room + 1 }, (_, index) =>
      accounts.signIn(form({ email: `u${index}@x.org`, clientAddress: `198.51.100.${index}` })),
    );
    await expect(tries.at(-1)).rejects.toMatchObject({ code: 'LOGIN_TOO_OFTEN' });
    const outcomes = Promise.allSettled(tries);
    for (let done = 0; done < room; done++) {
      await expect.poll(() => release.length).toBeGreaterThan(0);
      release.shift()?.();
    }
    await outcomes;
    expect([runningMost, running]).toEqual([LIMITS.passwordHashesRunningMax, 0]);
  });
});

describe('routers', () => {
  it('hear of every change, and check sessions without asking', async () => {
    const heard: AccountEpochs[] = [];
    const unwatch = accounts.watch((epochs) => heard.push(epochs));
    await accounts.change('ada@example.com', { adminOf: [] });
    await accounts.delete('ada@example.com');
    unwatch();
    await accounts.add({ email: 'eve@example.com', password: 'difference' });
    expect(heard.map((epochs) => epochs.map(([, epoch]) => epoch))).toEqual([[1], [2], []]);
  });

  it('follow over the wire', async () => {
    const router = new RpcAccounts(new InProcessRpc([accountsService(accounts)], systemTimers), systemTimers, new MemoryLog());
    expect(() => router.epochOf('1')).toThrow(expect.objectContaining({ code: 'ROUTE_STARTING' }));
    router.start();
    const signal = new AbortController().signal;
    const { userId, epoch } = await router.signIn({ ...form(), asAdmin: true }, { signal });
    const epochNow = (): number | undefined => router.epochOf(userId);
    await expect
      .poll(() => {
        try {
          return epochNow();
        } catch {
          return 'unknown';
        }
      })
      .toBe(epoch);
    await accounts.change('ada@example.com', { password: 'analytical' });
    await expect.poll(epochNow).toBe(epoch + 1);
    await accounts.delete('ada@example.com');
    await expect.poll(epochNow).toBeUndefined();
    await expect(router.signIn({ ...form(), asAdmin: true }, { signal })).rejects.toMatchObject({ code: 'LOGIN_FAILED' });
    router.close();
    await accounts.add({ email: 'eve@example.com', password: 'difference' });
    expect(router.epochOf(userId)).toBeUndefined();
  });
});
