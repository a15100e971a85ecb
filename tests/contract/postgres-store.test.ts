// The storage contract on a real PostgreSQL server.
import { afterAll, beforeAll, describe } from 'vitest';
import { PostgresStore } from '../../datastore/storage/postgres-store.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { PostgresServer, postgresSkip } from './postgres-server.ts';
import { storageContract } from './storage-contract.ts';

const skip = postgresSkip();

describe.skipIf(skip !== undefined)('PostgreSQL', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });

  afterAll(() => server.stop());

  const openStore = (url: string, holder = 'test'): PostgresStore =>
    new PostgresStore(systemClock, systemTimers, systemRandom, { url, holder });

  storageContract('postgres', async () => {
    const url = await server.createSchema();
    return { store: openStore(url), dispose: () => Promise.resolve() };
  });
});
