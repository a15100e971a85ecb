// The accounts between control role and routers: service `accounts`.
//
//   signIn   PasswordSignIn → AccountIdentity
//   watch    (epochs)+              all of them at first, then all again after each change
import { z } from 'zod';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type CallContext, method, type Service } from '../../sdk/contract/wire/service.ts';
import { type AccountEpochs, type Accounts } from './accounts.ts';

export const ACCOUNTS_SERVICE = 'accounts';

const passwordSignIn = z.strictObject({
  appId: z.string(),
  // Longer ones are refused as wrong, by the service.
  email: z.string().max(4 * LIMITS.accountEmailCharactersMax),
  password: z.string().max(LIMITS.loginBodyBytesMax),
  clientAddress: z.string().max(100),
});

export const accountIdentity = z.object({ userId: z.string(), email: z.string(), isAdmin: z.boolean(), epoch: z.number() });
export const accountEpochs = z.object({ epochs: z.array(z.tuple([z.string(), z.number()])) });

export function accountsService(accounts: Accounts): Service {
  return {
    name: ACCOUNTS_SERVICE,
    methods: {
      signIn: method(passwordSignIn, (request) => accounts.signIn(request)),
      watch: method(z.strictObject({}), (_payload, context) => feed(accounts, context)),
    },
  };
}

/** Sends the newest epochs, as fast as the router takes them, until it goes. */
async function feed(accounts: Accounts, { signal, emit }: CallContext): Promise<never> {
  let latest: AccountEpochs | undefined;
  let wake = (): void => undefined;
  const unwatch = accounts.watch((epochs) => {
    latest = epochs;
    wake();
  });
  const onAbort = (): void => {
    wake();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      if (signal.aborted) throw new PlatformError('CANCELLED');
      const epochs = latest;
      latest = undefined;
      if (epochs) await emit({ epochs });
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    unwatch();
    signal.removeEventListener('abort', onAbort);
  }
}
