// Tablets of the datastore, as the console and the command line see them: of all apps together, for the platform's owner. Of
// what apps have stored they tell no more than the keys at which one tablet ends and the next one starts.
//
//   GET /datastore/tablets?app=A&from=N&limit=N&history=MINUTES  → TabletsView

export interface TabletQuery {
  /** Only tablets that hold keys of this app. */
  readonly app?: string;
  /** Tablets to leave out at the beginning; `next` of the page before. */
  readonly from?: number;
  /** 1 … tabletsListedMax. */
  readonly limit?: number;
  /** Adds the last 24 hours in steps of so many minutes, one of TABLET_HISTORY_STEPS; pages are then shorter. */
  readonly history?: number;
}

/** They divide an hour, so that every day has the same steps. */
export const TABLET_HISTORY_STEPS: readonly number[] = [1, 2, 5, 10, 15, 30, 60];

export interface TabletBoundaryView {
  /** As people read it, shortened, without values: `guestbook property Greeting.author (string) of Greeting:5`. */
  readonly text: string;
  /** All of the key; empty at the very beginning. */
  readonly hex: string;
}

export interface TabletRateView {
  /** Rows in the last full minute. */
  readonly lastMinute: number;
  /** Rows in the busiest minute of the last 24 hours. */
  readonly peak: number;
}

export interface TabletView {
  readonly id: number;
  readonly start: TabletBoundaryView;
  /** Exclusive; absent for the last tablet. */
  readonly end?: TabletBoundaryView;
  readonly rows: number;
  /** Of keys and values, before compression. */
  readonly bytes: number;
  readonly reads: TabletRateView;
  readonly writes: TabletRateView;
  /** Rows in each step. */
  readonly history?: { readonly reads: readonly number[]; readonly writes: readonly number[] };
}

export interface TabletsView {
  /** In the order of their keys. */
  readonly tablets: readonly TabletView[];
  /** Present when there are more. */
  readonly next?: number;
  /** When the first step of every history began. */
  readonly history?: { readonly fromMs: number; readonly stepMinutes: number };
}
