// Accounts of `appengine dev`: whoever types an e-mail address has signed in. For the developer's own machine alone.
import { createHash } from 'node:crypto';
import { normalEmail } from '../sdk/contract/email-address.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Accounts, type SignedIn, type SignInForm } from './ports.ts';

/** No account has this epoch: a session of a development server ends when its data is served for real. */
const EPOCH = -1;
const ID_DIGITS = 20;

export class DevAccounts implements Accounts {
  readonly kind = 'development';

  epochOf(): number {
    return EPOCH;
  }

  signIn({ email, asAdmin }: SignInForm): Promise<SignedIn> {
    const normal = normalEmail(email);
    if (normal === undefined) return Promise.reject(new PlatformError('LOGIN_FAILED'));
    return Promise.resolve({ userId: userIdOf(normal), email: normal, isAdmin: asAdmin, epoch: EPOCH });
  }
}

/** App Engine's development server: the same address has the same id on every machine. */
function userIdOf(email: string): string {
  const digest = createHash('sha256').update(email).digest();
  return `1${(digest.readBigUInt64BE() % 10n ** BigInt(ID_DIGITS)).toString().padStart(ID_DIGITS, '0')}`;
}
