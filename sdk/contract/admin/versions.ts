// How a version runs, and what may be changed about it; the rest of the API is in admin.ts.
//
//   PATCH  /apps/A/services/S/versions/V  VersionChange   → VersionView

/** Of versions with basic or manual scaling. What is absent stays as it is. */
export interface VersionChange {
  /** Whether it has no instances and refuses requests, until it is started again. */
  readonly isStopped?: boolean;
  /** Manual scaling: how many instances there are from now on. */
  readonly instances?: number;
}

/** How a version runs now. */
export interface VersionRunningView {
  readonly scaling: 'automatic' | 'basic' | 'manual';
  readonly isStopped: boolean;
  /** Manual scaling: how many instances there are to be. */
  readonly instancesWanted?: number;
  readonly trouble?: VersionTrouble;
}

/** Why it has fewer instances than it wants. */
export type VersionTrouble =
  /** Its instances do not start, or die at once. */
  | { readonly kind: 'failing'; readonly failures: number; readonly reason: string; readonly nextTryMs?: number }
  /** The machine has no room for one. */
  | { readonly kind: 'no-room'; readonly reason: string };
