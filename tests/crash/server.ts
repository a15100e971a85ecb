// The datastore as its role runs it, alone in a process that is made to be killed: the real one over LevelDB with real
// fsync, behind its real wire. Small tablets, a small memtable and quick upkeep, so that splits, compactions and counting
// happen within the moments that it lives.
//
//   node server.js DIRECTORY SOCKET SPLIT_BYTES      prints `ready` when it takes calls; exit code 3 after a failed write,
//                                                    unless CRASH_SERVER_STAYS is set
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { Datastore } from '../../datastore/datastore.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { RpcServer } from '../../sdk/contract/wire/server.ts';
import { systemClock, systemRandom, systemTimers, type Timers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';

const KiB = 1024;
const UPKEEP_FASTER = 100;

const [directory, socket, splitBytes] = process.argv.slice(2);
if (directory === undefined || socket === undefined) throw new Error('usage: server.js DIRECTORY SOCKET SPLIT_BYTES');

// It does not outlive the test that started it.
process.stdin.once('close', () => process.exit(5)).resume();

const stays = process.env.CRASH_SERVER_STAYS !== undefined;
const quickTimers: Timers = {
  after: (delayMs, action) => systemTimers.after(delayMs, action),
  every: (periodMs, action) => systemTimers.every(Math.max(5, periodMs / UPKEEP_FASTER), action),
};
const log = new MemoryLog();
const store = new LevelStore(directory, { writeBufferBytes: 64 * KiB, cacheBytes: 1024 * KiB });
const datastore = new Datastore(store, systemClock, quickTimers, systemRandom, log, {
  tablets: { splitBytes: Number(splitBytes) },
  // As the role does: the process ends and is started anew, which reopens the store.
  onStoreFailed: () => {
    if (!stays) setImmediate(() => process.exit(3));
  },
});

// What upkeep in the background could not do is a fault here, where nothing else would tell.
const watch = (): void => {
  const failed = log.lines.find(({ level }) => level === 'error');
  if (failed) process.stderr.write(`${failed.message}: ${JSON.stringify(failed.fields)}\n`, () => process.exit(4));
};
if (!stays) setInterval(watch, 20).unref();

await datastore.start();
await new RpcServer(socket, systemTimers, [datastoreAdminService(datastore)]).start();
process.stdout.write('ready\n');
