import { appIdentityApi } from '../services/app-identity.ts';
import { type ApiService } from '../api/service-table.ts';
import { type PlatformSettings } from './settings.ts';

/** Every service on an instance's API socket: the table of what apps may call, the datastore aside. */
export function apiServices(settings: PlatformSettings): readonly ApiService[] {
  return [appIdentityApi(settings.domain)];
}
