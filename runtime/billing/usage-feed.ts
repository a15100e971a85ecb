// The serving side of `usage`: takes reports, and tells routers and services who is over which quota.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type CallContext, method, type Service } from '../../sdk/contract/wire/service.ts';
import { type QuotaKeeper } from './quota-keeper.ts';
import { type UsageLedger } from './usage-ledger.ts';
import { USAGE_SERVICE, usageReport } from './usage-wire.ts';

export class UsageFeed {
  readonly #ledger: Pick<UsageLedger, 'report'>;
  readonly #keeper: Pick<QuotaKeeper, 'states' | 'watch'>;
  readonly #closing = new AbortController();

  constructor(ledger: Pick<UsageLedger, 'report'>, keeper: Pick<QuotaKeeper, 'states' | 'watch'>) {
    this.#ledger = ledger;
    this.#keeper = keeper;
  }

  service(): Service {
    return {
      name: USAGE_SERVICE,
      methods: {
        report: method(usageReport, (report) => this.#ledger.report(report)),
        watchQuotas: (_payload, context) => this.#serve(context),
      },
    };
  }

  /** Ends every stream; who followed keeps what it has and asks again. */
  close(): void {
    this.#closing.abort(new PlatformError('RPC_UNAVAILABLE', 'the control plane is stopping'));
  }

  async #serve({ signal, emit }: CallContext): Promise<void> {
    const end = AbortSignal.any([signal, this.#closing.signal]);
    let hasChanged = true;
    let wake = (): void => undefined;
    const unwatch = this.#keeper.watch(() => {
      hasChanged = true;
      wake();
    });
    const onAbort = (): void => {
      wake();
    };
    end.addEventListener('abort', onAbort, { once: true });
    try {
      for (;;) {
        end.throwIfAborted();
        if (hasChanged) {
          hasChanged = false;
          await emit({ apps: this.#keeper.states });
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      unwatch();
      end.removeEventListener('abort', onAbort);
    }
  }
}
