// A machine without control groups that we may write: nothing is limited and nothing is metered, and it says so.
import { type ResourceControl, type ResourceGroup } from './resource-control.ts';

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
    return { joinFiles: [], visible: [], limit: () => undefined, usage: () => ({ outOfMemory: false }), close: () => Promise.resolve() };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
