// A machine without control groups that we may write: nothing is limited and nothing is metered, and it says so.
import { type ResourceControl, type ResourceGroup } from './resource-control.ts';

/** A group that is none. */
export const UNLIMITED_GROUP: ResourceGroup = {
  joinFiles: [],
  visible: [],
  limit: () => undefined,
  limitShared: () => undefined,
  usage: () => ({ outOfMemory: false }),
  close: () => Promise.resolve(),
};

export class UnlimitedResources implements ResourceControl {
  readonly kind = 'unlimited';
  readonly missing: readonly string[];

  constructor(missing: readonly string[] = ['memory limit', 'process limit', 'CPU share', 'CPU metering']) {
    this.missing = missing;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  create(): ResourceGroup {
    return UNLIMITED_GROUP;
  }

  favour(): void {
    // Nothing to share it by.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
