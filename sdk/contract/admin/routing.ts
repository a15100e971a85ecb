// The admin API's part about where requests go, beside admin.ts.
//
//   GET  /apps/A                                      → AppView, with services, splits, migrations and dispatch rules
//   PUT  /apps/A/services/S/traffic  TrafficRequest   → { versions: VersionView[] }      (ends a migration under way)
//   PUT  /apps/A/settings            SettingsRequest  → SettingsApplied

/** A gradual move of a service's traffic to one version, under way or the last one. */
export interface MigrationView {
  readonly to: string;
  readonly state: 'running' | 'done' | 'rolled-back';
  /** 0 … 1 of the traffic that was to move. */
  readonly progress: number;
  /** When it will be over if nothing goes wrong; only while it runs. */
  readonly endsAtMs?: number;
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** Why it was rolled back. */
  readonly reason?: string;
}

/** Files of settings that hold for the whole app: dispatch.yaml, queue.yaml, cron.yaml, index.yaml. Each replaces what was. */
export interface SettingsRequest {
  /** Text by file name. */
  readonly files: Readonly<Record<string, string>>;
}

export interface SettingsApplied {
  /** Names of the files that hold now. */
  readonly applied: readonly string[];
  /** For people, with the file's name: what is accepted and has no effect. */
  readonly notes: readonly string[];
}
