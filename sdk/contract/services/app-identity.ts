// The payloads of the service `app_identity` on an instance's API socket (App Engine: app_identity).

export const APP_IDENTITY_SERVICE = 'app_identity';

export interface AppIdentity {
  readonly applicationId: string;
  readonly service: string;
  readonly version: string;
  readonly instanceId: string;
  /** Host name of the app's default service, without a port. */
  readonly defaultVersionHostname: string;
}
