// Exports and imports as the command line asks for them: TransferApi over the service `datastore-admin`.
import { type ImportOptions, type TransferApi } from '../../admin-console/ports.ts';
import { type ExportLine, type ExportRequest, type ImportFailure, type ImportResult } from '../../sdk/contract/admin/transfer.ts';
import { type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { keyFromJson } from '../../sdk/contract/entity-json.ts';
import { encodeKey } from '../../sdk/contract/entity-proto.ts';
import { errorBody, type ErrorCode, PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { formatTimestamp, parseTimestamp } from '../../sdk/contract/timestamp-text.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { sleep, type Timers } from '../../sdk/support/clock.ts';
import { linesOf } from '../../sdk/support/line-splitter.ts';
import { DATASTORE_ADMIN_SERVICE } from './datastore-control-store.ts';
import { entityFromLine, entityLine, type PagedEntity, type WireInt } from './entity-lines.ts';

interface Page {
  readonly entities: readonly PagedEntity[];
  readonly rows: number;
  readonly next?: Uint8Array;
  readonly readTime: WireInt;
}

interface Pending {
  readonly line: number;
  readonly mutation: WireMutation;
}

const ATTEMPTS_MAX = 8;
const PAUSE_MS = 50;
/** After these the commit had no effect, so that even an insert may be made again. */
const WITHOUT_EFFECT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['DS_TX_CONFLICT', 'DS_OVERLOADED']);

export class DataTransfer implements TransferApi {
  readonly #rpc: Rpc;
  readonly #timers: Timers;

  constructor(rpc: Rpc, timers: Timers) {
    this.#rpc = rpc;
    this.#timers = timers;
  }

  async *export(
    appId: string,
    request: ExportRequest,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<readonly ExportLine[]> {
    const { after, kinds, namespaces, database } = request;
    const filter = {
      appId,
      ...(kinds ? { kinds } : {}),
      ...(namespaces ? { namespaces } : {}),
      ...(database === undefined ? {} : { databaseId: database }),
      ...(request.since === undefined ? {} : { sinceMicros: micros(request.since, 'since') }),
      ...(after ? { after: encodeKey(keyFromJson(after, 'after')) } : {}),
    };
    let readTime = request.readTime === undefined ? undefined : micros(request.readTime, 'readTime');
    let [rows, entities] = [0, 0];
    for (let from: Uint8Array | undefined; ;) {
      let page: Page;
      try {
        const position = { ...(from ? { from } : {}), ...(readTime === undefined ? {} : { readTime }) };
        page = (await this.#call('exportPage', { ...filter, ...position }, { idempotent: true, signal })) as Page;
      } catch (error) {
        // What fails before the first line is the answer's status.
        if (rows === 0 || signal.aborted) throw error;
        yield [{ failed: errorBody(toPlatformError(error)) }];
        return;
      }
      readTime = BigInt(page.readTime);
      rows += page.rows;
      entities += page.entities.length;
      yield [...page.entities.map(entityLine), { page: { rows, readTime: formatTimestamp(readTime) } }];
      from = page.next;
      if (!from) break;
    }
    yield [{ end: { entities } }];
  }

  async import(appId: string, body: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<ImportResult> {
    const { mode, from, skip } = options;
    const failures: ImportFailure[] = [];
    let [written, line, pendingBytes] = [0, 0, 0];
    let pending: Pending[] = [];
    const isOver = (): boolean => failures.length > 0 && (!skip || failures.length >= LIMITS.importFailuresMax);
    const flush = async (): Promise<void> => {
      const batch = pending;
      [pending, pendingBytes] = [[], 0];
      const failed = await this.#commit(appId, batch, options);
      written += failed.written;
      failures.push(...failed.failures);
    };
    for await (const text of linesOf(body, LIMITS.importLineBytesMax)) {
      line++;
      if (text.length === 0 || text.toString('latin1').trim() === '') continue;
      try {
        const entity = entityFromLine(text, appId, from);
        if (pendingBytes + entity.length > LIMITS.importCommitBytesMax || pending.length >= LIMITS.commitMutationsMax) await flush();
        pending.push({ line, mutation: { op: mode, entity } });
        pendingBytes += entity.length;
      } catch (error) {
        if (!(error instanceof PlatformError) || error.row.httpStatus >= 500) throw error;
        // What stands before it is written, so that it is the first that is not.
        await flush();
        if (!isOver()) failures.push({ line, error: errorBody(error) });
      }
      if (isOver()) return { written, failures };
    }
    await flush();
    return { written, failures };
  }

  /** All in one commit; when that is refused, one by one, to find out which. */
  async #commit(appId: string, batch: readonly Pending[], options: ImportOptions): Promise<ImportResult> {
    if (batch.length === 0) return { written: 0, failures: [] };
    try {
      await this.#commitPatiently(
        appId,
        batch.map(({ mutation }) => mutation),
        options,
      );
      return { written: batch.length, failures: [] };
    } catch (thrown) {
      const error = toPlatformError(thrown);
      if (error.row.httpStatus >= 500 || error.retryable || options.signal.aborted) throw thrown;
      const [only] = batch;
      if (only && batch.length === 1) return { written: 0, failures: [{ line: only.line, error: errorBody(error) }] };
    }
    const failures: ImportFailure[] = [];
    let written = 0;
    for (const one of batch) {
      const result = await this.#commit(appId, [one], options);
      written += result.written;
      failures.push(...result.failures);
      if (failures.length > 0 && (!options.skip || failures.length >= LIMITS.importFailuresMax)) break;
    }
    return { written, failures };
  }

  async #commitPatiently(appId: string, mutations: readonly WireMutation[], { mode, signal }: ImportOptions): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#call('commit', { appId, mutations }, { idempotent: mode === 'upsert', signal });
        return;
      } catch (thrown) {
        const error = toPlatformError(thrown);
        const mayRepeat = mode === 'upsert' ? error.retryable : WITHOUT_EFFECT.has(error.code);
        if (!mayRepeat || attempt === ATTEMPTS_MAX) throw thrown;
        await sleep(this.#timers, PAUSE_MS * 2 ** attempt, { signal });
      }
    }
  }

  #call(method: string, payload: object, options: { readonly idempotent: boolean; readonly signal: AbortSignal }): Promise<unknown> {
    return this.#rpc.call(DATASTORE_ADMIN_SERVICE, method, payload, options);
  }
}

function micros(text: string, name: string): bigint {
  const value = parseTimestamp(text);
  if (value === undefined) throw new PlatformError('INVALID_ARGUMENT', `"${name}": want an RFC 3339 time such as 2026-01-02T03:04:05Z`);
  return value;
}
