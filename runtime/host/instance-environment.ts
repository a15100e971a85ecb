// The variables of an instance, as App Engine documents them for its second generation.
import { APP_SOCKET, type InstanceSpec } from './instance.ts';
import { APP_SOCKET_DIRECTORY, SOCKETS_DIRECTORY } from '../sandbox/port.ts';

/** Nothing listens on it over TCP: a language maps it to the app's socket. Apps only pass it to `listen`. */
export const APP_PORT = 8080;

/** The app's own variables, under what the platform sets; of those NODE_ENV alone gives way. */
export function instanceEnvironment(spec: InstanceSpec, instanceId: string): Readonly<Record<string, string>> {
  return {
    NODE_ENV: 'production',
    ...spec.environment,
    GAE_APPLICATION: `s~${spec.appId}`,
    GAE_DEPLOYMENT_ID: spec.deploymentId,
    GAE_ENV: 'standard',
    GAE_INSTANCE: instanceId,
    GAE_MEMORY_MB: String(Math.floor(spec.memoryBytesMax / 2 ** 20)),
    GAE_SERVICE: spec.service,
    GAE_VERSION: spec.version,
    GOOGLE_CLOUD_PROJECT: spec.appId,
    PORT: String(APP_PORT),
    APPENGINE_SOCKETS: SOCKETS_DIRECTORY,
    APPENGINE_LISTEN_PORT: String(APP_PORT),
    APPENGINE_LISTEN: `${APP_SOCKET_DIRECTORY}/${APP_SOCKET}`,
  };
}
