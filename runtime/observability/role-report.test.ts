import { describe, expect, it } from 'vitest';
import { type Role } from '../../sdk/contract/admin/health.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { counter } from './metrics/metric-family.ts';
import { ProcessMetrics } from './metrics/process-metrics.ts';
import { PlatformObserver } from './platform-observer.ts';
import { metricsService, RoleProbe, type RoleReportOptions } from './role-report.ts';

const time = new VirtualTime();
const process = new ProcessMetrics(time, time);
const probe = (role: Role, options: Partial<RoleReportOptions> = {}): RoleProbe =>
  new RoleProbe(role, new InProcessRpc([metricsService({ release: '1.2.3', process, sources: [], ...options })], time));
const down = (role: Role): RoleProbe => new RoleProbe(role, new InProcessRpc([], time));
const supervised = () => [
  { name: 'router', state: 'waiting' as const, sinceMs: 1, restarts: 3, lastExit: { code: null, signal: 'SIGKILL' } },
  { name: 'control', state: 'ready' as const, pid: 7, sinceMs: 1, restarts: 1, lastExit: { code: 1, signal: null } },
];

describe('the roles together', () => {
  const observer = new PlatformObserver([
    probe('host', { supervised }),
    probe('datastore', { reasons: () => ['it is full'] }),
    probe('control', { sources: [{ collect: () => [counter('appengine_x_total', 'x', [{ labels: { app: 'a' }, value: 4 }])] }] }),
    down('router'),
  ]);

  it('say who is down, who is not ready, and how often each was started again', async () => {
    const roles = await observer.roles();
    expect(roles.map(({ role, status }) => [role, status])).toEqual([
      ['host', 'ready'],
      ['datastore', 'not-ready'],
      ['control', 'ready'],
      ['router', 'down'],
    ]);
    expect(roles[1]).toMatchObject({ reasons: ['it is full'], release: '1.2.3' });
    expect(roles[2]).toMatchObject({ restarts: 1, lastExit: 'exited with code 1' });
    expect(roles[3]).toMatchObject({ restarts: 3, lastExit: 'killed by SIGKILL' });
    expect(roles[3]?.reasons[0]).toContain('does not answer');
  });

  it('are in one text, each process by its role, and what is counted of apps once', async () => {
    const lines = (await observer.metrics()).split('\n');
    expect(lines).toContain('appengine_up{role="router"} 0');
    expect(lines).toContain('appengine_up{role="datastore"} 1');
    expect(lines).toContain('appengine_ready{role="datastore"} 0');
    expect(lines).toContain('appengine_role_restarts_total{role="router"} 3');
    expect(lines).toContain('appengine_x_total{app="a"} 4');
    expect(lines.filter((line) => line.startsWith('process_resident_memory_bytes{'))).toHaveLength(3);
    expect(lines.some((line) => line.startsWith('appengine_build_info{role="host",release="1.2.3",node='))).toBe(true);
  });
});
