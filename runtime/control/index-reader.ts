// Composite indexes as the console and the command line see them: IndexesApi over the service `datastore-admin`.
import { type IndexesApi } from '../../admin-console/ports.ts';
import { type IndexView } from '../../sdk/contract/admin/indexes.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { DATASTORE_ADMIN_SERVICE } from './datastore-control-store.ts';

interface WireIndex extends Omit<IndexView, keyof IndexDefinition> {
  readonly definition: IndexDefinition;
}

export class IndexReader implements IndexesApi {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  list(appId: string): Promise<readonly IndexView[]> {
    return this.#ask('listIndexes', { appId });
  }

  async create(appId: string, definitions: readonly IndexDefinition[]): Promise<readonly IndexView[]> {
    const all = await this.#ask('ensureIndexes', { appId, definitions });
    const wanted = new Set(definitions.map(nameOf));
    return all.filter((index) => index.state !== 'deleting' && wanted.has(nameOf(index)));
  }

  async delete(appId: string, id: number): Promise<void> {
    await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'deleteIndex', { appId, id }, { idempotent: true });
  }

  async #ask(method: string, payload: object): Promise<readonly IndexView[]> {
    const { indexes } = (await this.#rpc.call(DATASTORE_ADMIN_SERVICE, method, payload, { idempotent: true })) as {
      indexes: readonly WireIndex[];
    };
    return indexes.map(({ definition, ...rest }) => ({ ...definition, ...rest }));
  }
}

function nameOf({ kind, ancestor, properties }: IndexDefinition): string {
  return JSON.stringify([kind, ancestor, properties.map(({ name, direction }) => [name, direction])]);
}
