// What an app may import: `import { datastore } from 'appengine'`. The one barrel of the repository.
// Nothing here works outside an instance, and nothing is connected before its first use.
// Read next: client/datastore.ts.
import { join } from 'node:path';
import { AppIdentityClient } from './client/app-identity.ts';
import { Datastore } from './client/datastore.ts';
import { Mail } from './client/mail.ts';
import { Memcache } from './client/memcache.ts';
import { readInstanceEnvironment } from './client/instance-environment.ts';
import { ImagesClient } from './client/images.ts';
import { UrlFetchClient } from './client/url-fetch.ts';
import { UsersClient } from './client/users.ts';
import { TaskQueue } from './client/task-queue.ts';
import { type Rpc, type RpcCallOptions, RpcClient } from './contract/wire/client.ts';
import { PlatformError } from './contract/errors.ts';
import { systemClock, systemRandom, systemTimers } from './support/clock.ts';

export { Cursor, Datastore, type GqlArguments, type GqlResult, Transaction, type TransactionOptions } from './client/datastore.ts';
export { type AppIdentity } from './contract/services/app-identity.ts';
export { type AppEntity, DatastoreKey, Double, GeoPoint } from './client/natural-value.ts';
export {
  type CacheDeleteOptions,
  type CacheIncrementOptions,
  type CacheOptions,
  type CacheSnapshot,
  type CacheWriteOptions,
  Memcache,
} from './client/memcache.ts';
export { type AdminMailMessage, Mail, type MailFile, type MailMessage } from './client/mail.ts';
export { type CacheValue } from './client/memcache-value.ts';
export { type MailAccepted } from './contract/services/mail.ts';
export { type CacheStatistics } from './contract/services/memcache.ts';
export { type AddedTask, type QueueStatistics, type TaskOptions, TaskQueue } from './client/task-queue.ts';
export { type TaskRetryOptions } from './contract/services/task-queue.ts';
export { type InstanceEnvironment } from './client/instance-environment.ts';
export { type ImageOptions } from './client/images.ts';
export { type ImageMetadata, type ImageOutput, type ImageTransform, type TransformedImage } from './contract/services/images.ts';
export { type UrlFetchOptions, type UrlFetchResult } from './client/url-fetch.ts';
export { type RequestWithHeaders, type User } from './client/users.ts';
export { type ErrorCode, PlatformError } from './contract/errors.ts';

/** This instance: app, service, version and instance id. */
export const instance = readInstanceEnvironment(process.env);

/** Connects on the first call, so that importing this costs an instance's start nothing. */
class InstanceSocket implements Rpc {
  readonly #name: string;
  #client: RpcClient | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  call(service: string, method: string, payload: unknown, options?: RpcCallOptions): Promise<unknown> {
    if (instance.socketDirectory === undefined) {
      return Promise.reject(
        new PlatformError('RPC_UNAVAILABLE', 'this program does not run in an App Engine instance (APPENGINE_SOCKETS is not set)'),
      );
    }
    this.#client ??= new RpcClient(join(instance.socketDirectory, this.#name), systemClock, systemTimers);
    return this.#client.call(service, method, payload, options);
  }
}

/** The app's own datastore. */
export const datastore = new Datastore(new InstanceSocket('datastore.sock'), systemTimers, systemRandom);

/** Everything but the datastore. */
const api = new InstanceSocket('api.sock');

/** Who the platform says this instance is. */
export const appIdentity = new AppIdentityClient(api);

/** Mail that the app sends. */
export const mail = new Mail(api);

/** The app's cache. */
export const memcache = new Memcache(api);

/** The app's default queue; `taskQueue.queue(name)` is another. */
export const taskQueue = new TaskQueue(api);

/** Requests to the outside, App Engine's way. */
export const urlFetch = new UrlFetchClient(api);

/** Who has signed in, and where to send people to sign in. */
export const users = new UsersClient(api);

/** Pictures: their size, and other pictures made of them. */
export const images = new ImagesClient(api);
