import { join } from 'node:path';
import { BatchingUsageMeter } from '../billing/batching-usage-meter.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type DataPaths } from '../host/data-directory.ts';
import { buildSettings } from '../host/build-environment.ts';
import { buildToolMounts } from '../host/build-tool-mounts.ts';
import { hostService } from '../host/host-rpc.ts';
import { instanceCpuService } from '../host/instance-cpu.ts';
import { LocalInstanceHost } from '../host/instance-host.ts';
import { shutdownService } from '../host/shutdown.ts';
import { type RoleStatus } from '../host/supervised-role.ts';
import { platformMounts } from '../host/platform-mounts.ts';
import { RuntimeDirectory } from '../host/runtime-directory.ts';
import { RUNTIME_TABLE } from '../languages/language-table.ts';
import { type LogLimits } from '../observability/log-retention.ts';
import { InstanceMetrics } from '../observability/metrics/instance-metrics.ts';
import { type LogCounts, LogMetrics } from '../observability/metrics/log-metrics.ts';
import { metricsService } from '../observability/role-report.ts';
import { InstanceLogStore } from '../observability/log-sinks.ts';
import { LogWriter } from '../observability/log-store-writer.ts';
import { type RoleLinks } from '../role-links.ts';
import { startAppUsers } from '../sandbox/app-users-choice.ts';
import { startResourceControl } from '../sandbox/resource-control-choice.ts';
import { type SandboxChoice, startSandbox } from '../sandbox/sandbox-choice.ts';
import { startProcessMetrics } from './process-metrics.ts';
import { packageRoot, type PlatformWorld, type RunningRole } from './settings.ts';

export interface HostSettings {
  readonly paths: DataPaths;
  readonly runDirectory: string;
  readonly sandbox: SandboxChoice;
  readonly logLimits: LogLimits;
  readonly release: string;
  /** The role processes that are kept running; none where all roles are one process. */
  readonly supervised: () => readonly RoleStatus[];
  /** For all instances and builds together. */
  readonly memoryBudgetBytes: number;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Ends the platform when another role asks for it; absent: it may not. */
  readonly shutDown?: () => void;
}

export interface RunningHost extends RunningRole {
  readonly sandbox: 'bubblewrap' | 'process';
  /** For people, to be said at every start. */
  readonly warnings: readonly string[];
}

/** The host: every instance and every build. Throws INSTANCE_SPAWN_FAILED when the sandbox asked for does not work. */
export async function startHost(settings: HostSettings, links: RoleLinks, world: PlatformWorld): Promise<RunningHost> {
  const { clock, timers, random, log } = world;
  const closing = new CloseStack();
  const warnings: string[] = [];
  try {
    const sandbox = await startSandbox(settings.sandbox, log, { scratchDirectory: settings.runDirectory });
    const resources = await startResourceControl(settings.paths.root, timers, log);
    closing.defer(() => resources.close());
    // Before any other role starts, so that all of them are in it.
    resources.favour(process.pid);
    const users = await startAppUsers(sandbox, log, {
      dataDirectory: settings.paths.root,
      recordFile: join(settings.paths.root, 'app-users'),
    });
    closing.defer(() => users.close());
    warnings.push(...sandbox.warnings, ...users.warnings);
    if (resources.missing.length > 0)
      warnings.push(`Apps run without limits on ${resources.missing.join(', ')}: this machine's control groups cannot be used.`);
    const logs = new LogWriter(settings.paths.logs, 'app', clock, timers, log, settings.logLimits);
    logs.start();
    closing.defer(() => logs.close());
    const meter = new BatchingUsageMeter('host', links.connect('control'), clock, timers, random, log);
    meter.start();
    closing.defer(() => meter.close());
    const runtimes = new RuntimeDirectory(settings.paths.runtimes, RUNTIME_TABLE);
    await runtimes.removeReplaced();
    const lines = new InstanceLogStore(logs);
    const root = packageRoot();
    const languagesDirectory = join(root, 'dist', 'runtime', 'languages');
    const operator = buildSettings(settings.variables);
    const host = new LocalInstanceHost(sandbox, resources, lines, clock, timers, random, {
      runDirectory: settings.runDirectory,
      readOnlyMounts: platformMounts({
        sdkDirectory: join(root, 'dist', 'app-sdk'),
        languagesDirectory,
      }),
      runtimes,
      buildSettings: {
        environment: operator.environment,
        readOnlyMounts: [...operator.readOnlyMounts, ...buildToolMounts(languagesDirectory)],
      },
      memoryBudgetBytes: settings.memoryBudgetBytes,
      meter,
      users,
    });
    host.open();
    closing.defer(() => host.close());
    const instances = new InstanceMetrics(host, clock);
    instances.start();
    closing.defer(() => {
      instances.close();
    });
    const logCounts = (): LogCounts => ({ ...logs.counts, dropped: logs.counts.dropped + lines.droppedLines });
    const observed = metricsService({
      release: settings.release,
      process: startProcessMetrics(world, closing),
      sources: [instances, new LogMetrics('app', logCounts)],
      supervised: settings.supervised,
    });
    const { shutDown } = settings;
    const services = [hostService(host), instanceCpuService((ids) => host.cpuMicros(ids)), observed];
    closing.defer(await links.offer('host', shutDown ? [...services, shutdownService(shutDown)] : services));
    return { sandbox: sandbox.kind, warnings, close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}
