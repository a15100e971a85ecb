// What a deploy needs of the datastore: that the app's composite indexes are there and serve.
import { z } from 'zod';
import { INDEX_STATES, type IndexDefinition, type IndexState } from '../../sdk/contract/index-definition.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { DATASTORE_ADMIN_SERVICE } from './datastore-control-store.ts';

export interface IndexBuilder {
  /** Begins to make those that are missing; never removes one. */
  ensure(appId: string, definitions: readonly IndexDefinition[]): Promise<void>;
  /** State of each definition, in order; absent ones count as building. */
  states(appId: string, definitions: readonly IndexDefinition[]): Promise<readonly IndexState[]>;
}

const definition = z.object({
  kind: z.string(),
  ancestor: z.boolean(),
  properties: z.array(z.object({ name: z.string(), direction: z.enum(['asc', 'desc']) })),
});
const listing = z.object({ indexes: z.array(z.object({ definition, state: z.enum(INDEX_STATES) })) });

/** Through the service `datastore-admin`. */
export class DatastoreIndexBuilder implements IndexBuilder {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async ensure(appId: string, definitions: readonly IndexDefinition[]): Promise<void> {
    await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'ensureIndexes', { appId, definitions }, { idempotent: true });
  }

  async states(appId: string, definitions: readonly IndexDefinition[]): Promise<readonly IndexState[]> {
    const { indexes } = listing.parse(await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'listIndexes', { appId }, { idempotent: true }));
    const kept = indexes.filter(({ state }) => state !== 'deleting');
    const states = new Map(kept.map((index) => [keyOf(index.definition), index.state]));
    return definitions.map((wanted) => states.get(keyOf(wanted)) ?? 'building');
  }
}

function keyOf({ kind, ancestor, properties }: IndexDefinition): string {
  return JSON.stringify([kind, ancestor, properties.map(({ name, direction }) => [name, direction])]);
}
