// Going through everything on disk, step by step, to check it or to take it out: methods of `datastore-admin`.
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { z } from 'zod';
import { type Datastore } from '../datastore.ts';
import { appId, int64 } from './payload.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

const name = z.string().max(LIMITS.keyNameBytesMax);
const names = z.array(name).max(LIMITS.exportFilterNamesMax);

export function integrityMethods(datastore: Datastore): Service['methods'] {
  return {
    checkStep: method(
      z.object({ appId: appId.exactOptional(), from: z.instanceof(Uint8Array).exactOptional(), repair: z.boolean().exactOptional() }),
      ({ from, repair, ...scope }) =>
        datastore.checker.step(scope, { ...(from ? { from } : {}), ...(repair === undefined ? {} : { repair }) }),
    ),
    checkFile: method(z.object({ after: z.string().max(100).exactOptional() }), ({ after }) => datastore.fileChecker.step(after)),
    exportPage: method(
      z.object({
        appId,
        databaseId: name.exactOptional(),
        namespaces: names.exactOptional(),
        kinds: names.exactOptional(),
        sinceMicros: int64.exactOptional(),
        from: z.instanceof(Uint8Array).exactOptional(),
        after: z.instanceof(Uint8Array).exactOptional(),
        readTime: int64.exactOptional(),
      }),
      ({ from, after, readTime, ...filter }) =>
        datastore.exporter.page(filter, {
          ...(from ? { from } : {}),
          ...(after ? { after } : {}),
          ...(readTime === undefined ? {} : { readTime }),
        }),
    ),
    storedBytes: method(z.object({ appId: appId.exactOptional() }), (scope) => ({ bytes: storedBytes(datastore, scope.appId) })),
  };
}

function storedBytes(datastore: Datastore, ofApp: string | undefined): number {
  if (ofApp !== undefined) return datastore.storedBytes().get(ofApp) ?? 0;
  return datastore.tabletServer.list().reduce((sum, { bytes }) => sum + bytes, 0);
}
