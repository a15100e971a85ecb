// How a program that is not Node is started: behind the forwarder, which joins its loopback to the instance's sockets.
// Read next: forwarder.cjs and forwarder.c, which say what it does.
import { PLATFORM_DIRECTORY } from '../../sandbox/port.ts';

const FORWARDER = `${PLATFORM_DIRECTORY}/forwarder/forwarder`;
/** Above the ports that the kernel gives to connections (up to 60999), so that none of those is in the way. */
export const EGRESS_PORT = 61_080;
const PROXY = `http://127.0.0.1:${EGRESS_PORT}`;
const STAYS_HERE = 'localhost,127.0.0.1,::1';

/** Both spellings are in use. */
const PROXY_ENVIRONMENT = {
  ...{ HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, http_proxy: PROXY, https_proxy: PROXY },
  ...{ NO_PROXY: STAYS_HERE, no_proxy: STAYS_HERE },
};

export interface ForwardedCommand {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export function forwarded(command: readonly string[]): ForwardedCommand {
  return { command: [FORWARDER, ...command], environment: { APPENGINE_EGRESS_PORT: String(EGRESS_PORT), ...PROXY_ENVIRONMENT } };
}
