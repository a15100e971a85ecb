// Whether an entity is still what the client that writes it believes it to be.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { describeKey, type Key } from '../../sdk/contract/key.ts';

export interface Expectation {
  /** 0: there is no such entity. */
  readonly baseVersion?: bigint | undefined;
  /** Microseconds. */
  readonly updateTime?: bigint | undefined;
}

export interface StoredTimes {
  readonly version: bigint;
  readonly updatedMicros: bigint;
}

/**
 * The conflict between what is expected and what is stored, if there is one, as DS_TX_CONFLICT. Throws DS_INVALID for a base version
 * that the entity is yet to have.
 */
export function conflictOf({ baseVersion, updateTime }: Expectation, stored: StoredTimes | undefined, key: Key): PlatformError | undefined {
  if (baseVersion !== undefined) {
    if (stored && baseVersion > stored.version) {
      throw new PlatformError('DS_INVALID', 'Invalid base version, it is greater than the stored version');
    }
    const version = stored?.version ?? 0n;
    if (version !== baseVersion) {
      return conflict(`${describeKey(key)} has version ${version}, not the base version ${baseVersion}`, {
        baseVersion: String(baseVersion),
        storedVersion: String(version),
      });
    }
  }
  if (updateTime !== undefined && stored?.updatedMicros !== updateTime) {
    return conflict(`${describeKey(key)} was updated at ${stored ? `${stored.updatedMicros} µs` : 'no time'}, not at ${updateTime} µs`, {
      updateTime: String(updateTime),
    });
  }
  return undefined;
}

/** Whether another try would meet the same conflict. */
export function isLastingConflict({ code, details }: PlatformError): boolean {
  return code === 'DS_TX_CONFLICT' && (details.baseVersion !== undefined || details.updateTime !== undefined);
}

function conflict(reason: string, details: Readonly<Record<string, string>>): PlatformError {
  return new PlatformError('DS_TX_CONFLICT', reason, { details });
}
