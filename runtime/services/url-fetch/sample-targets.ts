// Real servers on the loopback for tests of what leaves an instance: names end in `.test` and lead to them.
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { CloseStack } from '../../../sdk/support/close-stack.ts';
import { type AddressRules, parseAddressRange } from './address-guard.ts';
import { type Resolver } from './guarded-connector.ts';
import { SAMPLE_CERTIFICATE, SAMPLE_KEY } from './sample-certificate.ts';

export class SampleTargets {
  readonly #closing = new CloseStack();

  /** Starts a server; returns its port. */
  http(listener: RequestListener): Promise<number> {
    return this.#listen(createServer(listener));
  }

  /** As `http`, under a certificate for secure.test. */
  https(listener: RequestListener): Promise<number> {
    return this.#listen(createTlsServer({ cert: SAMPLE_CERTIFICATE, key: SAMPLE_KEY }, listener));
  }

  close(): Promise<void> {
    return this.#closing.close();
  }

  async #listen(server: Server): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    this.#closing.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }
}

/** Names that end in `.test` are at 127.0.0.1; no others are known. */
export const sampleResolver: Resolver = (hostname) =>
  hostname.endsWith('.test') ? Promise.resolve(['127.0.0.1']) : Promise.reject(new Error(`ENOTFOUND ${hostname}`));

/** Rules under which the ranges are allowed, such as `127.0.0.0/8`. */
export function sampleRules(allow: readonly string[], ownPorts: readonly number[] = []): AddressRules {
  return { allow: allow.flatMap((text) => parseAddressRange(text) ?? []), ownPorts, ownAddresses: () => [] };
}
