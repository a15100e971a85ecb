// `appengine datastore settings`: what an app has chosen for its data.
import { type DatastoreSettingsChange, type DatastoreSettingsView } from '../contract/admin/datastore-settings.ts';
import { PlatformError } from '../contract/errors.ts';
import { type CommandContext } from './command-context.ts';

export interface SettingsFlags {
  readonly app: string;
  readonly concurrency?: string;
}

const MEANINGS: Readonly<Record<DatastoreSettingsView['concurrency'], string>> = {
  pessimistic: 'a transaction locks what it reads, and others wait to write that',
  optimistic: 'nobody waits, and a transaction is aborted at its commit when what it read has changed',
};

/** Shows the settings, changed first if a flag says so. */
export async function datastoreSettings({ app, concurrency }: SettingsFlags, { client, terminal, json }: CommandContext): Promise<void> {
  if (concurrency !== undefined && concurrency !== 'pessimistic' && concurrency !== 'optimistic') {
    throw new PlatformError('USAGE', `--concurrency is "${concurrency}", want pessimistic or optimistic`);
  }
  const path = `/apps/${encodeURIComponent(app)}/datastore/settings`;
  const change: DatastoreSettingsChange = concurrency === undefined ? {} : { concurrency };
  const settings =
    concurrency === undefined
      ? await client.call<DatastoreSettingsView>('GET', path)
      : await client.call<DatastoreSettingsView>('PATCH', path, { json: change });
  if (json) terminal.printJson(settings);
  else terminal.print(`concurrency  ${settings.concurrency}: ${MEANINGS[settings.concurrency]}`);
}
