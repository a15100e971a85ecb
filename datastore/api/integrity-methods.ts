// Looking through everything on disk, step by step: methods of `datastore-admin`.
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { z } from 'zod';
import { type Datastore } from '../datastore.ts';
import { appId } from './payload.ts';

export function integrityMethods(datastore: Datastore): Service['methods'] {
  return {
    checkStep: method(
      z.object({ appId: appId.exactOptional(), from: z.instanceof(Uint8Array).exactOptional(), repair: z.boolean().exactOptional() }),
      ({ from, repair, ...scope }) =>
        datastore.checker.step(scope, { ...(from ? { from } : {}), ...(repair === undefined ? {} : { repair }) }),
    ),
    storedBytes: method(z.object({ appId: appId.exactOptional() }), (scope) => ({ bytes: storedBytes(datastore, scope.appId) })),
  };
}

function storedBytes(datastore: Datastore, ofApp: string | undefined): number {
  if (ofApp !== undefined) return datastore.storedBytes().get(ofApp) ?? 0;
  return datastore.tablets().reduce((sum, { bytes }) => sum + bytes, 0);
}
