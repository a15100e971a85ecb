// The app identity service: what an instance may ask about itself.
import { z } from 'zod';
import { APP_IDENTITY_SERVICE, type AppIdentity } from '../../sdk/contract/app-identity.ts';
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { type InstanceView } from '../host/instance.ts';

export function appIdentityService(instance: InstanceView, domain: string): Service {
  const identity: AppIdentity = {
    applicationId: instance.appId,
    service: instance.service,
    version: instance.version,
    instanceId: instance.id,
    defaultVersionHostname: `${instance.appId}.${domain}`,
  };
  return { name: APP_IDENTITY_SERVICE, methods: { get: method(z.strictObject({}), () => identity) } };
}
