// The app identity service: what an instance may ask about itself.
import { z } from 'zod';
import { APP_IDENTITY_SERVICE, type AppIdentity } from '../../sdk/contract/services/app-identity.ts';
import { method } from '../../sdk/contract/wire/service.ts';
import { type ApiService } from '../api/service-table.ts';

const DEADLINE_MS = 5_000;

/** `domain` is what host names of apps end with. */
export function appIdentityApi(domain: string): ApiService {
  return {
    name: APP_IDENTITY_SERVICE,
    resource: 'identityCalls',
    megacyclesPerCall: 0,
    deadlineMs: DEADLINE_MS,
    serviceOf: (caller) => {
      const identity: AppIdentity = {
        applicationId: caller.appId,
        service: caller.service,
        version: caller.version,
        instanceId: caller.id,
        defaultVersionHostname: `${caller.appId}.${domain}`,
      };
      return { name: APP_IDENTITY_SERVICE, methods: { get: method(z.strictObject({}), () => identity) } };
    },
  };
}
