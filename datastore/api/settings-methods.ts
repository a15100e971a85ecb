// What an app has chosen for its data: methods of `datastore-admin`.
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { z } from 'zod';
import { type Datastore } from '../datastore.ts';
import { type AppSettings } from '../settings/settings-catalog.ts';
import { appId } from './payload.ts';

export function settingsMethods(datastore: Datastore): Service['methods'] {
  return {
    settings: method(z.object({ appId }), ({ appId: ofApp }) => view(datastore.settings.of(ofApp))),
    /** What is not given stays as it is. Transactions that have begun go on as they began. */
    changeSettings: method(
      z.object({ appId, concurrency: z.enum(['pessimistic', 'optimistic']).exactOptional() }),
      async ({ appId: ofApp, ...change }) => view(await datastore.settings.change(ofApp, (settings) => ({ ...settings, ...change }))),
    ),
  };
}

function view({ concurrency }: AppSettings): Pick<AppSettings, 'concurrency'> {
  return { concurrency };
}
