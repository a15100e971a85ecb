// The accounts of people: who may sign in to apps, and who administers them. Held in memory, durable in the store; this
// role is the only writer.
import { type AccountChange, type AccountRequest, type AccountView } from '../../sdk/contract/admin/session.ts';
import { checkAppId } from '../../sdk/contract/app-manifest/label.ts';
import { normalEmail } from '../../sdk/contract/email-address.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { addressKey, AttemptLimit } from '../../sdk/support/attempt-limit.ts';
import { type Clock, type Random } from '../../sdk/support/clock.ts';
import { type AccountRecord, type AccountStore } from './account-store.ts';
import { ParallelLimit } from './parallel-limit.ts';
import { type PasswordHash } from './password-hash.ts';

export interface PasswordSignIn {
  readonly appId: string;
  readonly email: string;
  readonly password: string;
  readonly clientAddress: string;
}

export interface AccountIdentity {
  readonly userId: string;
  readonly email: string;
  readonly isAdmin: boolean;
  readonly epoch: number;
}

/** Epochs by account id. */
export type AccountEpochs = readonly (readonly [userId: string, epoch: number])[];

/** The `adminOf` of somebody who administers every app. */
const EVERY_APP = '*';
const ID_BYTES = 8;
const ID_DIGITS = 20;

export class Accounts {
  readonly #store: AccountStore;
  readonly #passwords: PasswordHash;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #byEmail = new Map<string, AccountRecord>();
  readonly #watchers = new Set<(epochs: AccountEpochs) => void>();
  readonly #hashing = new ParallelLimit(LIMITS.passwordHashesRunningMax, LIMITS.passwordHashesWaitingMax, 'LOGIN_TOO_OFTEN');
  readonly #perAccount: AttemptLimit;
  readonly #perAddress: AttemptLimit;
  /** What the password of an account is compared with that does not exist, so that both take one time. */
  #decoy: Promise<string> | undefined;
  /** Changes are made one after another. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: AccountStore, passwords: PasswordHash, clock: Clock, random: Random) {
    this.#store = store;
    this.#passwords = passwords;
    this.#clock = clock;
    this.#random = random;
    const common = { windowMs: LIMITS.loginAttemptsWindowMs, keysMax: LIMITS.loginAttemptKeysMax };
    this.#perAccount = new AttemptLimit(clock, { ...common, max: LIMITS.loginAttemptsPerAccountMax });
    this.#perAddress = new AttemptLimit(clock, { ...common, max: LIMITS.loginAttemptsPerAddressMax });
  }

  async start(): Promise<void> {
    for (const account of await this.#store.load()) this.#byEmail.set(account.email, account);
  }

  /** By address. */
  list(): Promise<readonly AccountView[]> {
    return Promise.resolve([...this.#byEmail.values()].sort((one, other) => (one.email < other.email ? -1 : 1)).map(viewOf));
  }

  /** Throws ACCOUNT_INVALID, ACCOUNT_EXISTS. */
  add({ email: text, password, adminOf = [] }: AccountRequest): Promise<AccountView> {
    return this.#inTurn(async () => {
      const email = checkEmail(text);
      if (this.#byEmail.has(email)) throw new PlatformError('ACCOUNT_EXISTS', email);
      if (this.#byEmail.size >= LIMITS.accountsMax) {
        throw new PlatformError('ACCOUNT_INVALID', `there are ${LIMITS.accountsMax} accounts, and there may be no more`);
      }
      const account: AccountRecord = {
        email,
        id: this.#newId(),
        adminOf: checkAdminOf(adminOf),
        passwordHash: await this.#hash(password),
        createdAtMs: this.#clock.nowMs(),
        epoch: 1,
      };
      await this.#store.insert(account);
      this.#changed(account);
      return viewOf(account);
    });
  }

  /** Ends the account's sessions. Throws ACCOUNT_INVALID, ACCOUNT_NOT_FOUND. */
  change(email: string, { password, adminOf }: AccountChange): Promise<AccountView> {
    return this.#inTurn(async () => {
      const known = this.#find(email);
      const account: AccountRecord = {
        ...known,
        ...(adminOf === undefined ? {} : { adminOf: checkAdminOf(adminOf) }),
        ...(password === undefined ? {} : { passwordHash: await this.#hash(password) }),
        epoch: known.epoch + 1,
      };
      await this.#store.update(account);
      this.#changed(account);
      return viewOf(account);
    });
  }

  /** Ends the account's sessions. Throws ACCOUNT_NOT_FOUND. */
  delete(email: string): Promise<void> {
    return this.#inTurn(async () => {
      const known = this.#find(email);
      await this.#store.delete(known.email);
      this.#byEmail.delete(known.email);
      this.#announce();
    });
  }

  /** Addresses of the app's administrators, in order. */
  administratorsOf(appId: string): Promise<readonly string[]> {
    const found = [...this.#byEmail.values()].filter((account) => isAdminOf(account, appId));
    return Promise.resolve(found.map(({ email }) => email).sort());
  }

  /**
   * Who that is. Takes the same time and says the same whether the address or the password is wrong.
   * Throws LOGIN_FAILED, LOGIN_TOO_OFTEN.
   */
  async signIn({ appId, email: text, password, clientAddress }: PasswordSignIn): Promise<AccountIdentity> {
    const email = normalEmail(text) ?? '';
    const address = addressKey(clientAddress);
    if (!this.#perAddress.take(address) || !this.#perAccount.take(email)) throw new PlatformError('LOGIN_TOO_OFTEN');
    const known = this.#byEmail.get(email);
    const tooLong = Buffer.byteLength(password) > LIMITS.accountPasswordBytesMax;
    const matches = await this.#hashing.run(async () => {
      this.#decoy ??= this.#passwords.hash(this.#random.bytes(32).toString('hex'));
      const decoy = await this.#decoy;
      return this.#passwords.verify(known?.passwordHash ?? decoy, tooLong ? '' : password);
    });
    // The account may have changed meanwhile; then what was compared says nothing.
    const now = this.#byEmail.get(email);
    if (!matches || !known || tooLong || now?.epoch !== known.epoch || now.id !== known.id) throw new PlatformError('LOGIN_FAILED');
    this.#perAddress.giveBack(address);
    this.#perAccount.giveBack(email);
    return { userId: known.id, email, isAdmin: isAdminOf(known, appId), epoch: known.epoch };
  }

  /** All epochs at once, then all again after each change. Returns what ends that. */
  watch(onEpochs: (epochs: AccountEpochs) => void): () => void {
    this.#watchers.add(onEpochs);
    onEpochs(this.#epochs());
    return () => {
      this.#watchers.delete(onEpochs);
    };
  }

  #find(text: string): AccountRecord {
    const account = this.#byEmail.get(normalEmail(text) ?? '');
    if (!account) throw new PlatformError('ACCOUNT_NOT_FOUND', text.slice(0, LIMITS.accountEmailCharactersMax));
    return account;
  }

  #hash(password: string): Promise<string> {
    if (Array.from(password).length < LIMITS.accountPasswordCharactersMin) {
      throw new PlatformError('ACCOUNT_INVALID', `the password has fewer than ${LIMITS.accountPasswordCharactersMin} characters`);
    }
    if (Buffer.byteLength(password) > LIMITS.accountPasswordBytesMax) {
      throw new PlatformError('ACCOUNT_INVALID', `the password has more than ${LIMITS.accountPasswordBytesMax} bytes`);
    }
    return this.#hashing.run(() => this.#passwords.hash(password));
  }

  #newId(): string {
    // 64 random bits: of 10,000 accounts two are alike once in 10^11 platforms. The leading digit keeps it a whole number.
    return `2${this.#random.bytes(ID_BYTES).readBigUInt64BE().toString().padStart(ID_DIGITS, '0')}`;
  }

  #changed(account: AccountRecord): void {
    this.#byEmail.set(account.email, account);
    this.#announce();
  }

  #announce(): void {
    if (this.#watchers.size === 0) return;
    const epochs = this.#epochs();
    for (const watcher of [...this.#watchers]) watcher(epochs);
  }

  #epochs(): AccountEpochs {
    return [...this.#byEmail.values()].map(({ id, epoch }) => [id, epoch] as const);
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#last.then(change);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function isAdminOf({ adminOf }: AccountRecord, appId: string): boolean {
  return adminOf.includes(EVERY_APP) || adminOf.includes(appId);
}

function checkEmail(text: string): string {
  const email = normalEmail(text);
  if (email === undefined) {
    throw new PlatformError('ACCOUNT_INVALID', `"${text.slice(0, LIMITS.accountEmailCharactersMax)}" is no e-mail address`);
  }
  return email;
}

function checkAdminOf(adminOf: readonly string[]): readonly string[] {
  if (adminOf.length > LIMITS.accountAdminAppsMax) {
    throw new PlatformError('ACCOUNT_INVALID', `it administers more than ${LIMITS.accountAdminAppsMax} apps; "*" stands for all of them`);
  }
  try {
    return [...new Set(adminOf.map((appId) => (appId === EVERY_APP ? appId : checkAppId(appId))))].sort();
  } catch (cause) {
    throw new PlatformError('ACCOUNT_INVALID', `adminOf holds what is no app's id`, { cause });
  }
}

function viewOf({ email, createdAtMs, adminOf }: AccountRecord): AccountView {
  return { email, createdAtMs, adminOf };
}
