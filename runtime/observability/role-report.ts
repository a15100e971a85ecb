// What each role says of itself when it is asked, as RPC service `metrics`: what it counts, and whether it is ready.
import { z } from 'zod';
import { ROLES, type Role, type RoleView } from '../../sdk/contract/admin/health.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type RoleStatus } from '../host/supervised-role.ts';
import { type MetricFamily, metricFamilySchema, type MetricSource } from './metrics/metric-family.ts';
import { type ProcessMetrics } from './metrics/process-metrics.ts';

const SERVICE = 'metrics';

const supervisedSchema = z.object({
  name: z.string(),
  state: z.enum(['starting', 'ready', 'waiting', 'stopping', 'stopped']),
  pid: z.number().exactOptional(),
  sinceMs: z.number(),
  restarts: z.number(),
  lastExit: z.object({ code: z.number().nullable(), signal: z.string().nullable() }).exactOptional(),
});

const reportSchema = z.object({
  release: z.string(),
  node: z.string(),
  pid: z.number(),
  startedAtMs: z.number(),
  memoryBytes: z.number(),
  cpuMicros: z.number(),
  reasons: z.array(z.string()),
  /** Of the host alone: the processes that it keeps running. */
  supervised: z.array(supervisedSchema),
});

export type RoleReport = z.infer<typeof reportSchema>;

export interface RoleReportOptions {
  readonly release: string;
  readonly process: ProcessMetrics;
  readonly sources: readonly MetricSource[];
  /** Why the role is not ready, for people; empty when it is. */
  readonly reasons?: () => readonly string[];
  readonly supervised?: () => readonly RoleStatus[];
}

export function metricsService({ release, process: own, sources, reasons, supervised }: RoleReportOptions): Service {
  const nothing = z.object({});
  return {
    name: SERVICE,
    methods: {
      collect: method(nothing, async () => (await Promise.all([own, ...sources].map(async (source) => source.collect()))).flat()),
      report: method(nothing, (): RoleReport => {
        const { user, system } = process.cpuUsage();
        return {
          ...{ release, node: process.versions.node, pid: process.pid, startedAtMs: own.startedAtMs },
          ...{ memoryBytes: process.memoryUsage.rss(), cpuMicros: user + system },
          ...{ reasons: [...(reasons?.() ?? [])], supervised: (supervised?.() ?? []).map((status) => ({ ...status })) },
        };
      }),
    },
  };
}

/** One role asked from another process; undefined when it does not answer within metricGatherMs. */
export class RoleProbe {
  readonly role: Role;
  readonly #rpc: Rpc;

  constructor(role: Role, rpc: Rpc) {
    this.role = role;
    this.#rpc = rpc;
  }

  collect(): Promise<readonly MetricFamily[] | undefined> {
    return this.#ask('collect', z.array(metricFamilySchema));
  }

  report(): Promise<RoleReport | undefined> {
    return this.#ask('report', reportSchema);
  }

  async #ask<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    try {
      return schema.parse(await this.#rpc.call(SERVICE, name, {}, { deadlineMs: LIMITS.metricGatherMs, idempotent: true }));
    } catch {
      return undefined;
    }
  }
}

const DOWN = 'it does not answer: it is being started again, or is too busy; the log on stderr of `appengine serve` says more';

/** What all roles say together, with what the host knows of their processes. Pure. */
export function roleViews(reports: ReadonlyMap<Role, RoleReport | undefined>): RoleView[] {
  const supervised = new Map(reports.get('host')?.supervised.map((status) => [status.name, status]));
  return ROLES.map((role) => {
    const report = reports.get(role);
    const status = supervised.get(role);
    const lastExit = status?.lastExit && exitText(status.lastExit);
    const restarts = status ? { restarts: status.restarts, ...(lastExit === undefined ? {} : { lastExit }) } : {};
    if (!report) return { role, status: 'down', reasons: [DOWN], ...restarts };
    const { reasons, release, node, pid, startedAtMs, memoryBytes, cpuMicros } = report;
    return {
      role,
      status: reasons.length === 0 ? 'ready' : 'not-ready',
      reasons,
      release,
      node,
      pid,
      startedAtMs,
      memoryBytes,
      cpuMicros,
      ...restarts,
    };
  });
}

function exitText({ code, signal }: { readonly code: number | null; readonly signal: string | null }): string {
  if (signal !== null) return `killed by ${signal}`;
  return code === null ? 'could not be started' : `exited with code ${code}`;
}
