// The app identity service: what an instance may ask about itself (App Engine: app_identity).
import { z } from 'zod';
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { type InstanceView } from '../host/instance.ts';

export interface AppIdentity {
  readonly applicationId: string;
  readonly service: string;
  readonly version: string;
  readonly instanceId: string;
  readonly defaultVersionHostname: string;
}

export function appIdentityService(instance: InstanceView, domain: string): Service {
  const identity: AppIdentity = {
    applicationId: instance.appId,
    service: instance.service,
    version: instance.version,
    instanceId: instance.id,
    defaultVersionHostname: `${instance.appId}.${domain}`,
  };
  return { name: 'app_identity', methods: { get: method(z.strictObject({}), () => identity) } };
}
