// Ours: the datastore on disk behind its public port, in a process of its own, open as on a developer's machine.
//
//   node --import tsx server.ts FOLDER    sends its port; answers 'cpu' with microseconds; ends on 'stop'
import { openToAll } from '../../../datastore/api/v1/transport/identity.ts';
import { DatastoreV1Server } from '../../../datastore/api/v1/transport/server.ts';
import { DatastoreV1Service } from '../../../datastore/api/v1/v1-service.ts';
import { Datastore } from '../../../datastore/datastore.ts';
import { LevelStore } from '../../../datastore/storage/level-store.ts';
import { systemClock, systemRandom, systemTimers } from '../../../sdk/support/clock.ts';
import { MemoryLog } from '../../../sdk/support/log.ts';
import { answerParent } from '../measured-server.ts';

const [, , folder = ''] = process.argv;
const log = new MemoryLog();
const datastore = new Datastore(new LevelStore(folder), systemClock, systemTimers, systemRandom, log);
await datastore.start();
const service = new DatastoreV1Service(() => datastore);
const server = new DatastoreV1Server(service, systemClock, systemTimers, log, { authenticate: openToAll });
const { port } = await server.start({ host: '127.0.0.1', port: 0 });
answerParent(port, async () => {
  await server.close();
  await datastore.close();
});
