// Connects to what the guard lets pass, and to nothing else: a name is resolved once, all of its addresses are checked,
// and the connection goes to those very addresses, so that a second answer of the name server changes nothing
// (security: 32, 33). undici's own `lookup` is no place for this: it is not called for literal addresses.
import { isIP, connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, rootCertificates } from 'node:tls';
import { type buildConnector } from 'undici';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type Timers } from '../../../sdk/support/clock.ts';
import { type AddressRules, refusalOf } from './address-guard.ts';

/** All addresses of a name, as the system writes them. Rejects when there are none. */
export type Resolver = (hostname: string) => Promise<readonly string[]>;

export interface ConnectorOptions {
  readonly validateCertificate: boolean;
  /** Trusted besides the authorities that Node knows; PEM. */
  readonly authorities: readonly string[];
}

export function guardedConnector(
  resolve: Resolver,
  rules: AddressRules,
  timers: Timers,
  { validateCertificate, authorities }: ConnectorOptions,
): buildConnector.connector {
  const ca = authorities.length === 0 ? {} : { ca: [...rootCertificates, ...authorities] };
  return ({ hostname: host, port: portText, protocol, servername }, callback) => {
    const hostname = host.replace(/^\[|\]$/g, '');
    const isHttps = protocol === 'https:';
    const port = portText === '' ? (isHttps ? 443 : 80) : Number(portText);
    let socket: Socket | undefined;
    let settled = false;
    const settle = (error: Error | null): void => {
      if (settled) return;
      settled = true;
      cancel();
      if (error === null && socket) {
        callback(null, socket);
        return;
      }
      socket?.destroy();
      callback(error ?? new PlatformError('FETCH_FAILED'), null);
    };
    const cancel = timers.after(LIMITS.fetchConnectMs, () => {
      settle(new PlatformError('FETCH_DEADLINE', `${hostname} did not accept a connection within ${LIMITS.fetchConnectMs} ms`));
    });
    checkedAddresses(resolve, rules, hostname, port).then((addresses) => {
      if (settled) return;
      const target = { host: hostname, port, lookup: fixedLookup(addresses), autoSelectFamily: true, noDelay: true, keepAlive: true };
      const name = isIP(hostname) === 0 ? { servername: servername ?? hostname } : {};
      const opened = isHttps
        ? connectTls({ ...target, ...name, ...ca, rejectUnauthorized: validateCertificate, ALPNProtocols: ['http/1.1'] })
        : connectTcp(target);
      socket = opened;
      opened.once('error', settle);
      opened.once(isHttps ? 'secureConnect' : 'connect', () => {
        opened.removeListener('error', settle);
        // Once more on what the kernel says, should the above ever be wrong.
        const refusal = refusalOf(opened.remoteAddress ?? '', port, rules);
        settle(refusal === undefined ? null : new PlatformError('FETCH_ADDRESS_REFUSED', refusal));
      });
    }, settle);
  };
}

/** The addresses to connect to. Throws FETCH_ADDRESS_REFUSED when any of them is one that apps may not reach. */
async function checkedAddresses(resolve: Resolver, rules: AddressRules, hostname: string, port: number): Promise<readonly string[]> {
  const isLiteral = isIP(hostname) !== 0;
  const addresses = isLiteral ? [hostname] : await resolve(hostname);
  if (addresses.length === 0) throw new PlatformError('FETCH_FAILED', `the name ${hostname} has no address`);
  for (const address of addresses) {
    const refusal = refusalOf(address, port, rules);
    if (refusal === undefined) continue;
    throw new PlatformError('FETCH_ADDRESS_REFUSED', isLiteral ? refusal : `${hostname} leads to ${address}; ${refusal}`);
  }
  return addresses;
}

/** Answers with addresses that are known already, whatever is asked. */
function fixedLookup(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, callback) => {
    const [first] = found;
    if (options.all === true || first === undefined) callback(null, found);
    else callback(null, first.address, first.family);
  };
}
