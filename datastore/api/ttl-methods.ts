// TTL policies: methods of `datastore-admin`.
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { z } from 'zod';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Datastore } from '../datastore.ts';
import { appId } from './payload.ts';

const name = z.string().max(LIMITS.keyNameBytesMax);

export function ttlMethods(datastore: Datastore): Service['methods'] {
  return {
    listTtl: method(z.object({ appId }), (scope) => ({ policies: datastore.ttl.list(scope.appId) })),
    setTtl: method(z.object({ appId, kind: name, property: name }), (payload) =>
      datastore.ttl.set(payload.appId, { kind: payload.kind, property: payload.property }),
    ),
    clearTtl: method(z.object({ appId, kind: name }), async (payload) => ({
      wasThere: await datastore.ttl.clear(payload.appId, payload.kind),
    })),
  };
}
