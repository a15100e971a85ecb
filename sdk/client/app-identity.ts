import { APP_IDENTITY_SERVICE, type AppIdentity } from '../contract/services/app-identity.ts';
import { type Rpc } from '../contract/wire/client.ts';

/** What the platform says of this instance: not what its environment claims, which the app may have changed. */
export class AppIdentityClient {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async get(): Promise<AppIdentity> {
    return (await this.#rpc.call(APP_IDENTITY_SERVICE, 'get', {}, { idempotent: true })) as AppIdentity;
  }
}
