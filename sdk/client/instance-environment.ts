// What an instance knows of itself, from the variables that the platform set (App Engine's names).

export interface InstanceEnvironment {
  readonly applicationId: string;
  readonly service: string;
  readonly version: string;
  readonly instanceId: string;
  /** Directory of the instance's sockets; undefined outside the platform. */
  readonly socketDirectory: string | undefined;
}

export function readInstanceEnvironment(variables: Readonly<Record<string, string | undefined>>): InstanceEnvironment {
  return {
    applicationId: variables['GOOGLE_CLOUD_PROJECT'] ?? '',
    service: variables['GAE_SERVICE'] ?? 'default',
    version: variables['GAE_VERSION'] ?? '',
    instanceId: variables['GAE_INSTANCE'] ?? '',
    socketDirectory: variables['APPENGINE_SOCKETS'],
  };
}
