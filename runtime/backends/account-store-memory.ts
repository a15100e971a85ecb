import { PlatformError } from '../../sdk/contract/errors.ts';
import { type AccountRecord, type AccountStore } from '../services/account-store.ts';

/** Twin of the port. */
export class MemoryAccountStore implements AccountStore {
  readonly #accounts = new Map<string, AccountRecord>();

  load(): Promise<readonly AccountRecord[]> {
    return Promise.resolve([...this.#accounts.values()]);
  }

  insert(account: AccountRecord): Promise<void> {
    if (this.#accounts.has(account.email)) return Promise.reject(new PlatformError('ACCOUNT_EXISTS', account.email));
    this.#accounts.set(account.email, account);
    return Promise.resolve();
  }

  update(account: AccountRecord): Promise<void> {
    if (!this.#accounts.has(account.email)) return Promise.reject(new PlatformError('ACCOUNT_NOT_FOUND', account.email));
    this.#accounts.set(account.email, account);
    return Promise.resolve();
  }

  delete(email: string): Promise<void> {
    this.#accounts.delete(email);
    return Promise.resolve();
  }
}
