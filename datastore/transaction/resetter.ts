// Wipes apps while the datastore goes on for the others: calls about the wiped ones are kept out, their transactions ended, what
// is under way waited for, their rows deleted, and what is remembered of them in memory forgotten.
import { type Turns } from '../../sdk/support/turns.ts';
import { type History } from '../history/history.ts';
import { type IndexCatalog } from '../index/index-catalog.ts';
import { type SettingsCatalog } from '../settings/settings-catalog.ts';
import { type CommitsUnderWay } from '../tablet/commits-under-way.ts';
import { type AppEraser, type Head } from './app-eraser.ts';
import { type ResetGate } from './reset-gate.ts';
import { type TransactionRegistry } from './transaction-registry.ts';
import { type TtlSweeper } from './ttl-sweeper.ts';
import { type VersionClock } from './version-clock.ts';

/** What remembers something of apps. */
export interface AppMemory {
  readonly settings: SettingsCatalog;
  readonly catalog: IndexCatalog;
  readonly history: History;
  readonly versions: VersionClock;
  readonly transactions: TransactionRegistry;
  readonly sweeper: TtlSweeper;
  readonly underWay: CommitsUnderWay;
}

export interface ResetOptions {
  /** Whether indexes, empty then, and settings stay: they came with an app's deploy and from its operators, not with its data. */
  readonly sparesDefinitions?: boolean;
}

export class Resetter {
  readonly #gate: ResetGate;
  readonly #eraser: AppEraser;
  readonly #turns: Turns;
  readonly #memory: AppMemory;

  /** `turns` are of everything that writes apps' rows without being a commit; a wipe takes one, and so comes after another. */
  constructor(gate: ResetGate, eraser: AppEraser, turns: Turns, memory: AppMemory) {
    this.#gate = gate;
    this.#eraser = eraser;
    this.#turns = turns;
    this.#memory = memory;
  }

  /** As Datastore.reset. */
  reset(keeps: (appId: string) => boolean, { sparesDefinitions = false }: ResetOptions = {}): Promise<void> {
    const { settings, catalog } = this.#memory;
    return this.#turns.take(() =>
      settings.whileUnchanged(() => catalog.whileUnchanged(() => this.#wipe((appId) => !keeps(appId), sparesDefinitions))),
    );
  }

  async #wipe(isWanted: (appId: string) => boolean, sparesDefinitions: boolean): Promise<void> {
    const { settings, catalog, transactions, sweeper, underWay } = this.#memory;
    const isWiped = this.#gate.close(isWanted);
    const progress = { isHalf: false };
    try {
      await transactions.endOf(isWiped);
      await this.#gate.readsEnded();
      await underWay.settled();
      const appIds = await this.#eraser.appsWhere(isWiped);
      await this.#eraser.erase({ appIds, sparesDefinitions }, this.#headOf(appIds), () => {
        progress.isHalf = true;
        if (!sparesDefinitions) {
          settings.forget(appIds);
          catalog.forget(appIds);
        }
        sweeper.forget();
      });
      progress.isHalf = false;
    } finally {
      if (progress.isHalf) this.#gate.breakDown();
      else this.#gate.open();
    }
  }

  /** Nothing from before can be read at an earlier time either. */
  #headOf(appIds: readonly string[]): Head {
    return (transaction) => {
      const { history, versions } = this.#memory;
      const version = versions.next();
      for (const appId of appIds) history.forgetApp(transaction, appId, version);
      return { follow: (commit) => versions.follow({ appId: '', version, changes: [] }, () => commit) };
    };
  }
}
