// Under development a query that needs a composite index runs all the same: the index is made at once, the query waits.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { sleep, type Timers } from '../../sdk/support/clock.ts';
import { type IndexCatalog } from '../index/index-catalog.ts';
import { type IndexWork } from '../index/index-work.ts';
import { NeedIndexError } from './need-index.ts';

export class AutoIndexes {
  readonly #catalog: IndexCatalog;
  readonly #work: IndexWork;
  readonly #timers: Timers;
  readonly #record: ((appId: string, definitions: readonly IndexDefinition[]) => Promise<boolean>) | undefined;

  /** `record` says whether an index may be made; without it none is. */
  constructor(
    catalog: IndexCatalog,
    work: IndexWork,
    timers: Timers,
    record: ((appId: string, definitions: readonly IndexDefinition[]) => Promise<boolean>) | undefined,
  ) {
    this.#catalog = catalog;
    this.#work = work;
    this.#timers = timers;
    this.#record = record;
  }

  /**
   * Runs `query`; makes the indexes that it asks for and runs it again. What a transaction reads is older than an index made
   * for it: it gets DS_TX_CONFLICT, so that it is run anew.
   */
  run<T>(appId: string, isInTransaction: boolean, query: () => Promise<T>): Promise<T> {
    const record = this.#record;
    if (!record) return query();
    return query().catch(async (error: unknown) => {
      if (!(error instanceof NeedIndexError) || !(await record(appId, error.definitions))) throw error;
      await this.#catalog.ensure(appId, error.definitions);
      this.#work.start();
      const over = new AbortController();
      await Promise.race([this.#work.idle(), sleep(this.#timers, LIMITS.autoIndexMs, { signal: over.signal }).catch(() => undefined)]);
      over.abort();
      if (isInTransaction) throw new PlatformError('DS_TX_CONFLICT', 'an index was made that the transaction needs');
      return query();
    });
  }
}
