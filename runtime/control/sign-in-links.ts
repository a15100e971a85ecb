// Sign-in links for whoever started the platform: asked by `serve` over the role's socket, which the platform alone reaches.
import { z } from 'zod';
import { type ConsoleAccess } from '../../admin-console/console-access.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { method, type Service } from '../../sdk/contract/wire/service.ts';

const SERVICE = 'sign-in-links';
const answer = z.object({ code: z.string() });

export function signInLinkService(access: ConsoleAccess): Service {
  return { name: SERVICE, methods: { make: method(z.strictObject({}), async () => ({ code: (await access.makeCode()).code })) } };
}

/** A fresh one-time link to the console on `bind`:`port` of this machine. */
export async function makeSignInLink(control: Rpc, bind: string, port: number): Promise<string> {
  const { code } = answer.parse(await control.call(SERVICE, 'make', {}));
  return `http://${reachable(bind)}:${port}/sign-in#code=${code}`;
}

/** No browser can open the address that stands for all addresses. */
function reachable(bind: string): string {
  if (bind === '0.0.0.0') return '127.0.0.1';
  if (bind === '::') return '[::1]';
  return bind.includes(':') ? `[${bind}]` : bind;
}
