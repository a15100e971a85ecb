// All roles asked at once, each within a time limit: what /metrics, the health checks and `appengine status` show.
import { type ObservationApi } from '../../admin-console/ports.ts';
import { type Role, type RoleView } from '../../sdk/contract/admin/health.ts';
import { counter, gauge, type MetricFamily } from './metrics/metric-family.ts';
import { labelled, metricsText } from './metrics/metrics-text.ts';
import { type RoleProbe, type RoleReport, roleViews } from './role-report.ts';

export class PlatformObserver implements ObservationApi {
  readonly #probes: readonly RoleProbe[];

  constructor(probes: readonly RoleProbe[]) {
    this.#probes = probes;
  }

  async metrics(): Promise<string> {
    const [collected, roles] = await Promise.all([Promise.all(this.#probes.map((probe) => probe.collect())), this.roles()]);
    const families = this.#probes.flatMap(({ role }, index) => ofRole(role, collected[index] ?? []));
    const isUp = (role: Role): boolean => collected[this.#probes.findIndex((probe) => probe.role === role)] !== undefined;
    return metricsText([
      ...families,
      gauge(
        'appengine_up',
        'Whether the role answered this scrape in time.',
        roles.map(({ role }) => ({ labels: { role }, value: Number(isUp(role)) })),
      ),
      gauge(
        'appengine_ready',
        'Whether the role can do its work.',
        roles.map(({ role, status }) => ({ labels: { role }, value: Number(status === 'ready') })),
      ),
      counter(
        'appengine_role_restarts_total',
        "Starts of a role's process after the first.",
        roles.flatMap(({ role, restarts }) => (restarts === undefined ? [] : [{ labels: { role }, value: restarts }])),
      ),
      gauge(
        'appengine_build_info',
        'Always 1: what runs.',
        roles.flatMap(({ role, release, node }) =>
          release === undefined || node === undefined ? [] : [{ labels: { role, release, node }, value: 1 }],
        ),
      ),
    ]);
  }

  async roles(): Promise<readonly RoleView[]> {
    const reports = await Promise.all(
      this.#probes.map(async (probe): Promise<readonly [Role, RoleReport | undefined]> => [probe.role, await probe.report()]),
    );
    return roleViews(new Map(reports));
  }
}

/** A process is told from others by its role; what is counted of apps is the platform's, whichever role counts it. */
function ofRole(role: Role, families: readonly MetricFamily[]): readonly MetricFamily[] {
  return families.flatMap((family) => (family.name.startsWith('appengine_') ? [family] : labelled([family], { role })));
}
