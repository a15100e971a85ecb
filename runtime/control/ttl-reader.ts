// TTL policies as the console and the command line set them: TtlApi over the service `datastore-admin`.
import { type TtlApi } from '../../admin-console/ports.ts';
import { type TtlPolicyAnswer, type TtlPolicyView } from '../../sdk/contract/admin/ttl.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { DATASTORE_ADMIN_SERVICE } from './datastore-control-store.ts';

export class TtlReader implements TtlApi {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async policies(appId: string): Promise<readonly TtlPolicyView[]> {
    const { policies } = (await this.#call('listTtl', { appId })) as { readonly policies: readonly TtlPolicyView[] };
    return policies;
  }

  async set(appId: string, policy: TtlPolicyView): Promise<TtlPolicyAnswer> {
    return (await this.#call('setTtl', { appId, ...policy })) as TtlPolicyAnswer;
  }

  async clear(appId: string, kind: string): Promise<void> {
    const { wasThere } = (await this.#call('clearTtl', { appId, kind })) as { readonly wasThere: boolean };
    if (!wasThere) throw new PlatformError('NOT_FOUND', `the TTL policy of the kind ${JSON.stringify(kind)}`);
  }

  /** Setting the same again changes nothing, so a call that broke off is made again. */
  #call(method: string, payload: object): Promise<unknown> {
    return this.#rpc.call(DATASTORE_ADMIN_SERVICE, method, payload, { idempotent: method !== 'clearTtl' });
  }
}
