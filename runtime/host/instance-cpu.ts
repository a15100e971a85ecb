// CPU time of instances, read from their groups at the moment of asking: for the router, which puts it down to requests.
import { z } from 'zod';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

const SERVICE = 'instance-cpu';
const ID_CHARACTERS_MAX = 100;
const READ_MS_MAX = 400;

const question = z.object({ ids: z.array(z.string().max(ID_CHARACTERS_MAX)).max(LIMITS.instancesPerHostMax) });
const answer = z.object({ cpuMicros: z.record(z.string(), z.number()) });

/** Twin: any function. Those that have ended, or of which the machine cannot tell, are missing. */
export type ReadInstanceCpu = (ids: readonly string[]) => Promise<ReadonlyMap<string, number>>;

export function instanceCpuService(read: (ids: readonly string[]) => ReadonlyMap<string, number>): Service {
  return { name: SERVICE, methods: { read: method(question, ({ ids }) => ({ cpuMicros: Object.fromEntries(read(ids)) })) } };
}

export function rpcInstanceCpu(rpc: Rpc): ReadInstanceCpu {
  return async (ids) => {
    const { cpuMicros } = answer.parse(await rpc.call(SERVICE, 'read', { ids: [...ids] }, { deadlineMs: READ_MS_MAX, idempotent: true }));
    return new Map(Object.entries(cpuMicros));
  };
}
