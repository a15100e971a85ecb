// A process of its own that serves the datastore on a unix socket, as the datastore role does for an instance. It tells what
// CPU it used: the SDK's half of a call burns in the caller's process.
//
//   node --import tsx server.ts FOLDER SOCKET    sends 'ready', answers 'cpu' with microseconds, ends on 'stop'
import { datastoreService } from '../../../datastore/api/wire-service.ts';
import { Datastore } from '../../../datastore/datastore.ts';
import { LevelStore } from '../../../datastore/storage/level-store.ts';
import { RpcServer } from '../../../sdk/contract/wire/server.ts';
import { systemClock, systemRandom, systemTimers } from '../../../sdk/support/clock.ts';
import { MemoryLog } from '../../../sdk/support/log.ts';
import { answerParent } from '../measured-server.ts';
import { SCOPE } from './items.ts';

const [, , folder = '', socket = ''] = process.argv;
const datastore = new Datastore(new LevelStore(folder), systemClock, systemTimers, systemRandom, new MemoryLog());
await datastore.start();
const server = new RpcServer(socket, systemTimers, [datastoreService(datastore, SCOPE)]);
await server.start();
answerParent('ready', async () => {
  await server.close();
  await datastore.close();
});
