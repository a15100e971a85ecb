// What apps have chosen for their data: DatastoreSettingsApi over the service `datastore-admin`.
import { type DatastoreSettingsApi } from '../../admin-console/ports.ts';
import { type DatastoreSettingsChange, type DatastoreSettingsView } from '../../sdk/contract/admin/datastore-settings.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { DATASTORE_ADMIN_SERVICE } from './datastore-control-store.ts';

export class DatastoreSettingsReader implements DatastoreSettingsApi {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async settings(appId: string): Promise<DatastoreSettingsView> {
    return (await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'settings', { appId }, { idempotent: true })) as DatastoreSettingsView;
  }

  async change(appId: string, change: DatastoreSettingsChange): Promise<DatastoreSettingsView> {
    const payload = { appId, ...change };
    return (await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'changeSettings', payload, { idempotent: true })) as DatastoreSettingsView;
  }
}
