// Composite indexes: methods of `datastore-admin`.
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { z } from 'zod';
import { type Datastore } from '../datastore.ts';
import { appId, indexDefinitions } from './payload.ts';

const INDEX_ID_MAX = 2 ** 32 - 1;

export function indexMethods(datastore: Datastore): Service['methods'] {
  return {
    ensureIndexes: method(z.object({ appId, definitions: indexDefinitions }), async (payload) => ({
      indexes: await datastore.ensureIndexes(payload, payload.definitions),
    })),
    listIndexes: method(z.object({ appId }), (scope) => ({ indexes: datastore.listIndexes(scope) })),
    deleteIndex: method(z.object({ appId, id: z.int().min(1).max(INDEX_ID_MAX) }), async (payload) => {
      await datastore.deleteIndex(payload, payload.id);
      return {};
    }),
  };
}
