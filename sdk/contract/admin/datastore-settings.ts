// What an app has chosen for its data, as the console and the command line see it.
//
//   GET    /apps/A/datastore/settings                             → DatastoreSettingsView
//   PATCH  /apps/A/datastore/settings    DatastoreSettingsChange  → DatastoreSettingsView

/** pessimistic: a transaction locks what it reads. optimistic: what it read is compared when it commits. */
export type ConcurrencyMode = 'pessimistic' | 'optimistic';

export interface DatastoreSettingsView {
  readonly concurrency: ConcurrencyMode;
}

/** What is absent stays as it is. */
export type DatastoreSettingsChange = Partial<DatastoreSettingsView>;
