// The accounts as a router sees them: passwords are asked of the control role, epochs are held here, so that a request with
// a session asks nobody.
import { type Accounts, type SignedIn, type SignInForm } from '../../router/ports.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { followFeed } from '../../sdk/contract/wire/feed.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { accountEpochs, accountIdentity, ACCOUNTS_SERVICE } from './accounts-wire.ts';

/** Hashing takes tens of milliseconds, behind at most passwordHashesWaitingMax others. */
const SIGN_IN_DEADLINE_MS = 15_000;

export class RpcAccounts implements Accounts {
  readonly kind = 'password';
  readonly #rpc: Rpc;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #abort = new AbortController();
  #epochs: ReadonlyMap<string, number> | undefined;

  constructor(rpc: Rpc, timers: Timers, log: Log) {
    this.#rpc = rpc;
    this.#timers = timers;
    this.#log = log;
  }

  /** Follows the accounts until `close`. While the control role is away the last ones it named stay in force. */
  start(): void {
    void followFeed(
      this.#rpc,
      { service: ACCOUNTS_SERVICE, method: 'watch' },
      {
        onEvent: (event) => {
          this.#epochs = new Map(accountEpochs.parse(event).epochs);
        },
        onBroken: (error) => {
          this.#log.info('The feed of accounts broke off; the last ones stay in force', { error });
        },
      },
      this.#timers,
      this.#abort,
    );
  }

  close(): void {
    this.#abort.abort(new PlatformError('CANCELLED'));
  }

  epochOf(userId: string): number | undefined {
    if (!this.#epochs) throw new PlatformError('ROUTE_STARTING');
    return this.#epochs.get(userId);
  }

  async signIn({ appId, email, password, clientAddress }: SignInForm, options: { readonly signal: AbortSignal }): Promise<SignedIn> {
    const request = { appId, email, password, clientAddress };
    const payload = await this.#rpc.call(ACCOUNTS_SERVICE, 'signIn', request, { deadlineMs: SIGN_IN_DEADLINE_MS, signal: options.signal });
    return accountIdentity.parse(payload);
  }
}
