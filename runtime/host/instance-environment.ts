// The variables of an instance, as App Engine documents them for its second generation.
import { APP_SOCKET, type InstanceSpec } from './instance.ts';
import { APP_SOCKET_DIRECTORY, SOCKETS_DIRECTORY } from '../sandbox/port.ts';

/** Nothing listens on it over TCP: a language maps it to the app's socket. Apps only pass it to `listen`. */
export const APP_PORT = 8080;

/**
 * Above the ports that the kernel gives to connections (up to 60999). What connects to it over the loopback reaches the
 * instance's DATASTORE_V1_SOCKET: by the preload in Node, by the forwarder in everything else.
 */
const DATASTORE_V1_PORT = 61_081;
const DATASTORE_V1_ADDRESS = `127.0.0.1:${DATASTORE_V1_PORT}`;

/** The app's own variables, under what the platform sets; of those only the first two give way. */
export function instanceEnvironment(spec: InstanceSpec, instanceId: string): Readonly<Record<string, string>> {
  return {
    NODE_ENV: 'production',
    // There is no such server here; without this, Google's clients look for it for three seconds before their first call.
    METADATA_SERVER_DETECTION: 'none',
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
    ...datastoreVariables(spec.appId),
    APPENGINE_LISTEN: `${APP_SOCKET_DIRECTORY}/${APP_SOCKET}`,
  };
}

/** What emulators have people export: Google's Datastore clients look at the one or the other of them. */
function datastoreVariables(appId: string): Readonly<Record<string, string>> {
  return {
    DATASTORE_DATASET: appId,
    DATASTORE_EMULATOR_HOST: DATASTORE_V1_ADDRESS,
    DATASTORE_EMULATOR_HOST_PATH: `${DATASTORE_V1_ADDRESS}/datastore`,
    DATASTORE_HOST: `http://${DATASTORE_V1_ADDRESS}`,
    DATASTORE_PROJECT_ID: appId,
    APPENGINE_DATASTORE_PORT: String(DATASTORE_V1_PORT),
  };
}
