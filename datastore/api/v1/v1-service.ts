// google.datastore.v1.Datastore: each method from the bytes of its request to the bytes of its answer.
// Must not know how either travels, nor decide what reads and writes mean: the datastore's facade does.
// Read next: messages/requests.ts for what comes in, read-methods.ts and write-methods.ts for what is done, transport/status.ts for errors.
import { toPlatformError } from '../../../sdk/contract/errors.ts';
import { assertNever } from '../../../sdk/support/assert.ts';
import { checkPartition } from '../../codec/key-check.ts';
import { type Datastore } from '../../datastore.ts';
import { type Call } from './call.ts';
import { type CallGuard, type V1Caller, type V1Method, type V1Service } from './port.ts';
import { checkReadsOnly, type Doing } from './read-only.ts';
import { lookup, runAggregationQuery, runQuery } from './read-methods.ts';
import {
  type Addressed,
  readAllocateIds,
  readBeginTransaction,
  readCommit,
  readLookup,
  readReserveIds,
  readRollback,
  readRunAggregationQuery,
  readRunQuery,
} from './messages/requests.ts';
import { allocateIds, beginTransaction, commit, reserveIds, rollback } from './write-methods.ts';

export class DatastoreV1Service implements V1Service {
  readonly #datastore: () => Datastore;
  readonly #guard: CallGuard | undefined;

  /** `datastore` is asked at each call, since a reset may put another in its place. */
  constructor(datastore: () => Datastore, guard?: CallGuard) {
    this.#datastore = datastore;
    this.#guard = guard;
  }

  async call(method: V1Method, request: Buffer, caller: V1Caller): Promise<Buffer> {
    try {
      return await this.#call(method, request, caller);
    } catch (error) {
      throw toPlatformError(error);
    }
  }

  #call(method: V1Method, bytes: Buffer, caller: V1Caller): Promise<Buffer> {
    switch (method) {
      case 'Lookup':
        return this.#run(method, readLookup(bytes), caller, lookup);
      case 'RunQuery':
        return this.#run(method, readRunQuery(bytes), caller, runQuery);
      case 'RunAggregationQuery':
        return this.#run(method, readRunAggregationQuery(bytes), caller, runAggregationQuery);
      case 'BeginTransaction':
        return this.#run(method, readBeginTransaction(bytes), caller, beginTransaction);
      case 'Commit':
        return this.#run(method, readCommit(bytes), caller, commit);
      case 'Rollback':
        return this.#run(method, readRollback(bytes), caller, rollback);
      case 'AllocateIds':
        return this.#run(method, readAllocateIds(bytes), caller, allocateIds);
      case 'ReserveIds':
        return this.#run(method, readReserveIds(bytes), caller, reserveIds);
      default:
        return assertNever(method);
    }
  }

  #run<R extends Addressed & Doing>(
    method: V1Method,
    request: R,
    caller: V1Caller,
    work: (call: Call, request: R) => Promise<Buffer>,
  ): Promise<Buffer> {
    const { projectId, databaseId } = request;
    checkPartition(databaseId, '');
    const appId = caller.appOf(projectId);
    if (caller.isReadOnly === true) checkReadsOnly(method, request);
    const guard = this.#guard;
    const call: Call = {
      datastore: this.#datastore(),
      scope: { appId, projectId, databaseId },
      signal: caller.signal,
      ...(guard && { guard }),
    };
    return guard ? guard.around(appId, method, () => work(call, request)) : work(call, request);
  }
}
