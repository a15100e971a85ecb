// The files beside app.yaml that describe the app as a whole and can be deployed alone.
import { CRON_YAML, parseCronManifest } from './cron-yaml.ts';
import { DISPATCH_YAML, parseDispatchManifest } from './dispatch-yaml.ts';
import { INDEX_YAML, parseIndexManifest } from './index-yaml.ts';
import { QUEUE_YAML, readQueueManifest } from './queue-yaml.ts';

/** By name, what checks such a file as far as that needs no server: it throws MANIFEST_INVALID. */
export const SETTINGS_FILES: ReadonlyMap<string, (text: string, fileName: string) => unknown> = new Map<
  string,
  (text: string, fileName: string) => unknown
>([
  [DISPATCH_YAML, (text, fileName) => parseDispatchManifest(text, fileName)],
  [QUEUE_YAML, readQueueManifest],
  [CRON_YAML, parseCronManifest],
  [INDEX_YAML, parseIndexManifest],
]);
