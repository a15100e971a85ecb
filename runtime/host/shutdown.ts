// The end of the whole platform, for a role that was asked for it: the host ends the roles in order, as at a signal.
import { z } from 'zod';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { method, type Service } from '../../sdk/contract/wire/service.ts';

const SERVICE = 'shutdown';
const BEGIN_MS_MAX = 5_000;

/** Answers before the end begins. */
export function shutdownService(shutDown: () => void): Service {
  return {
    name: SERVICE,
    methods: {
      begin: method(z.object({}), () => {
        setImmediate(shutDown);
        return {};
      }),
    },
  };
}

export async function shutDownBy(host: Rpc): Promise<void> {
  await host.call(SERVICE, 'begin', {}, { deadlineMs: BEGIN_MS_MAX });
}
