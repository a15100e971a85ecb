// Whether the platform is well, and each of its roles.
//
//   GET /healthz              → HealthView of control alone: it answers, so it lives       (these three outside /api, and
//   GET /readyz               → HealthView of every role: 200 when all are ready, else 503  without a token; both take
//   GET /readyz?role=router   → HealthView of that role                                     ?role=NAME, or ?role=all)
//   GET /metrics              → Prometheus text; see docs/operating.md for who may
//   GET /api/v1/roles         → { roles: RoleView[] }

export const ROLES = ['host', 'datastore', 'control', 'router'] as const;
export type Role = (typeof ROLES)[number];

export interface RoleHealth {
  readonly role: Role;
  /** `down`: it did not answer in time. */
  readonly status: 'ready' | 'not-ready' | 'down';
  /** Why it is not ready, for people. */
  readonly reasons: readonly string[];
}

export interface HealthView {
  readonly status: 'ok' | 'failing';
  readonly roles: readonly RoleHealth[];
}

export interface RoleView extends RoleHealth {
  /** These are absent while it is down. */
  readonly release?: string;
  readonly node?: string;
  readonly pid?: number;
  readonly startedAtMs?: number;
  readonly memoryBytes?: number;
  readonly cpuMicros?: number;
  /** Starts after the first, by the host's count; absent of the host, and where all roles are one process. */
  readonly restarts?: number;
  /** How it ended last, for people. */
  readonly lastExit?: string;
}
