// What calls of the public datastore API pass: the same quotas, counts, cycles and bounds as the calls of an app's instances.
// A project that nobody deployed is metered like an app of that id: its data is that app's on the day that it is deployed.
import { type CallGuard, type V1Method } from '../../datastore/api/v1/port.ts';
import { chargeReads, DATASTORE_CALL_MEGACYCLES } from '../billing/datastore-costs.ts';
import { type CallPassage, type CallTerms } from './call-passage.ts';
import { type QuotaGate, type UsageMeter } from './usage-meter.ts';

const TERMS: CallTerms = { name: 'datastore-v1', resource: 'datastoreCalls', megacyclesPerCall: DATASTORE_CALL_MEGACYCLES };

export class V1CallGuard implements CallGuard {
  readonly #passage: CallPassage;
  readonly #gate: QuotaGate;
  readonly #meter: UsageMeter;

  /** `passage` is the one that instances' calls of the datastore go through: what is under way is bounded in sum. */
  constructor(passage: CallPassage, gate: QuotaGate, meter: UsageMeter) {
    this.#passage = passage;
    this.#gate = gate;
    this.#meter = meter;
  }

  around<T>(appId: string, method: V1Method, call: () => Promise<T>): Promise<T> {
    return this.#passage.around(TERMS, method, appId, call);
  }

  entitiesRead(appId: string, entities: number): void {
    chargeReads(this.#meter, appId, entities);
  }

  checkGrowth(appId: string): void {
    this.#gate.check(appId, 'storedByteHours');
  }
}
