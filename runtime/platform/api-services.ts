import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type ApiService } from '../api/service-table.ts';
import { appIdentityApi } from '../services/app-identity.ts';
import { type Cache } from '../services/cache.ts';
import { type ImageWorker } from '../services/images/image-worker.ts';
import { imagesApi } from '../services/images/images-service.ts';
import { memcacheApi } from '../services/memcache.ts';
import { type FetchBroker } from '../services/url-fetch/broker.ts';
import { urlFetchApi } from '../services/url-fetch/fetch-service.ts';
import { taskQueueApi } from '../services/task-queue/task-queue-api.ts';
import { type TaskQueues } from '../services/task-queue/task-queues.ts';
import { mailApi, type MailParts } from '../services/mail/mail.ts';
import { usersApi } from '../services/users.ts';
import { type PlatformSettings } from './settings.ts';

/** What the services stand on, built by the role that runs them. */
export interface ApiParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly cache: Cache;
  readonly fetchBroker: FetchBroker;
  readonly imageWorker: ImageWorker;
  readonly mail: MailParts;
  readonly queues: TaskQueues;
}

/** Every service on an instance's API socket: the table of what apps may call, the datastore aside. */
export function apiServices(settings: PlatformSettings, parts: ApiParts): readonly ApiService[] {
  const { clock, timers, cache, fetchBroker, imageWorker, mail, queues } = parts;
  return [
    appIdentityApi(settings.domain),
    memcacheApi(cache, clock),
    mailApi(mail),
    imagesApi(imageWorker),
    urlFetchApi(fetchBroker, timers),
    taskQueueApi(queues, clock),
    usersApi({ domain: settings.domain, port: settings.ports.router }),
  ];
}
