import { type Clock } from '../../sdk/support/clock.ts';
import { appIdentityApi } from '../services/app-identity.ts';
import { type Cache } from '../services/cache.ts';
import { memcacheApi } from '../services/memcache.ts';
import { type ApiService } from '../api/service-table.ts';
import { type PlatformSettings } from './settings.ts';

export interface ApiParts {
  readonly clock: Clock;
  readonly cache: Cache;
}

/** Every service on an instance's API socket: the table of what apps may call, the datastore aside. */
export function apiServices(settings: PlatformSettings, { cache, clock }: ApiParts): readonly ApiService[] {
  return [appIdentityApi(settings.domain), memcacheApi(cache, clock)];
}
