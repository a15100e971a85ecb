// What a datastore call costs the app, in App Engine's manner: a cost assigned by what was read and written, whatever this
// machine took for it. A put costs about five times a get, and more with each indexed property (reference, section 4.2).
import { type LookupResponse, type RunQueryResponse } from '../../sdk/contract/datastore-wire.ts';
import { type MethodHandler, type Service } from '../../sdk/contract/wire/service.ts';
import { isPlatformApp } from '../host/instance.ts';
import { type QuotaGate, type UsageMeter } from '../api/usage-meter.ts';

/** Of every call; with it one entity is read. */
export const DATASTORE_CALL_MEGACYCLES = 10;
const ENTITY_READ_MEGACYCLES = 10;
/** An entity with two indexed properties is four rows: 58 megacycles with its call. */
const ROW_WRITTEN_MEGACYCLES = 12;

/** The app's `datastore` service with what it reads metered, and its growth bounded by the quota of stored data. */
export function meteredDatastore({ name, methods }: Service, appId: string, gate: QuotaGate, meter: UsageMeter): Service {
  const { lookup, runQuery, commit } = methods;
  const charge = (entities: number): void => {
    chargeReads(meter, appId, entities);
  };
  return {
    name,
    methods: {
      ...methods,
      ...(lookup && { lookup: metered(lookup, (answer: LookupResponse) => charge(answer.found.length + answer.missing.length)) }),
      ...(runQuery && { runQuery: metered(runQuery, (answer: RunQueryResponse) => charge(answer.results.length + answer.skipped)) }),
      ...(commit && {
        commit: (payload, context) => {
          // Deleting stays possible: it is the way back under the quota.
          if (adds(payload)) gate.check(appId, 'storedByteHours');
          return commit(payload, context);
        },
      }),
    },
  };
}

function metered<T>(handle: MethodHandler, count: (answer: T) => void): MethodHandler {
  return async (payload, context) => {
    const answer = (await handle(payload, context)) as T;
    count(answer);
    return answer;
  };
}

/** Looks at what no schema has checked yet. */
function adds(payload: unknown): boolean {
  if (typeof payload !== 'object' || payload === null || !('mutations' in payload) || !Array.isArray(payload.mutations)) return false;
  return payload.mutations.some(
    (mutation: unknown) => typeof mutation === 'object' && mutation !== null && 'op' in mutation && mutation.op !== 'delete',
  );
}

/** After a call that read so many entities, missing and skipped ones included. */
export function chargeReads(meter: UsageMeter, appId: string, entities: number): void {
  if (entities > 1) meter.add(appId, { cpuMegacycles: (entities - 1) * ENTITY_READ_MEGACYCLES });
}

/** For `DatastoreOptions.onWrote`: whoever writes to an app's data, it is the app's. */
export function chargeWrites(meter: UsageMeter): (appId: string, rows: number) => void {
  return (appId, rows) => {
    if (!isPlatformApp(appId) && rows > 0) meter.add(appId, { cpuMegacycles: rows * ROW_WRITTEN_MEGACYCLES });
  };
}
