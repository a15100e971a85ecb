// Settings of an app as a whole, deployed without a new version: dispatch.yaml, queue.yaml, cron.yaml, index.yaml.
import { type SettingsApi } from '../../admin-console/ports.ts';
import { type SettingsApplied } from '../../sdk/contract/admin/routing.ts';
import { CRON_YAML, parseCronManifest } from '../../sdk/contract/app-manifest/cron-yaml.ts';
import { DISPATCH_YAML, parseDispatchManifest } from '../../sdk/contract/app-manifest/dispatch-yaml.ts';
import { INDEX_YAML, parseIndexManifest } from '../../sdk/contract/app-manifest/index-yaml.ts';
import { QUEUE_YAML, readQueueManifest } from '../../sdk/contract/app-manifest/queue-yaml.ts';
import { SETTINGS_FILES } from '../../sdk/contract/app-manifest/settings-files.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type AppRegistry } from './app-registry.ts';
import { type IndexBuilder } from './index-builder.ts';
import { appIn } from './registry-state.ts';

export class SettingsDesk implements SettingsApi {
  readonly #registry: AppRegistry;
  readonly #indexBuilder: IndexBuilder;

  constructor(registry: AppRegistry, indexBuilder: IndexBuilder) {
    this.#registry = registry;
    this.#indexBuilder = indexBuilder;
  }

  async apply(appId: string, files: Readonly<Record<string, string>>): Promise<SettingsApplied> {
    const app = appIn(this.#registry.state, appId);
    const names = Object.keys(files);
    const unknown = names.find((name) => !SETTINGS_FILES.has(name));
    if (unknown !== undefined || names.length === 0) {
      throw new PlatformError('INVALID_ARGUMENT', `${JSON.stringify(unknown ?? '')} is none of ${[...SETTINGS_FILES.keys()].join(', ')}`);
    }
    // All are read before any holds.
    const textOf = (name: string): string | undefined => (Object.hasOwn(files, name) ? files[name] : undefined);
    const [dispatchText, queueText, cronText, indexText] = [DISPATCH_YAML, QUEUE_YAML, CRON_YAML, INDEX_YAML].map(textOf);
    const isService = (service: string): boolean => app.services.has(service);
    const dispatch = dispatchText === undefined ? undefined : parseDispatchManifest(dispatchText, DISPATCH_YAML, isService);
    const queues = queueText === undefined ? undefined : readQueueManifest(queueText, QUEUE_YAML);
    const cron = cronText === undefined ? undefined : parseCronManifest(cronText, CRON_YAML);
    const indexes = indexText === undefined ? [] : parseIndexManifest(indexText, INDEX_YAML);

    if (indexes.length > 0) await this.#indexBuilder.ensure(appId, indexes);
    await this.#registry.applySettings(appId, {
      ...(dispatch ? { dispatch } : {}),
      ...(queues ? { queues: queues.manifest } : {}),
      ...(cron ? { cron } : {}),
    });
    return { applied: names, notes: (queues?.notes ?? []).map((note) => `${QUEUE_YAML}: ${note}`) };
  }
}
