import { PlatformError } from '../../sdk/contract/errors.ts';
import { type ControlChange, type ControlRecord, type ControlStore, recordName } from './control-store.ts';

/** The in-memory twin of DatastoreControlStore. */
export class MemoryControlStore implements ControlStore {
  readonly #records = new Map<string, ControlRecord>();

  load(): Promise<readonly ControlRecord[]> {
    return Promise.resolve([...this.#records.values()]);
  }

  commit(changes: readonly ControlChange[]): Promise<void> {
    for (const { op, record } of changes) {
      if (op === 'insert' && this.#records.has(keyOf(record))) {
        return Promise.reject(new PlatformError('DS_ALREADY_EXISTS', recordName(record)));
      }
    }
    for (const { op, record } of changes) {
      if (op === 'delete') this.#records.delete(keyOf(record));
      else this.#records.set(keyOf(record), structuredClone(record));
    }
    return Promise.resolve();
  }
}

function keyOf(record: ControlRecord): string {
  return `${record.kind} ${recordName(record)}`;
}
