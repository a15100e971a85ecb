// How this router ends TLS: which protocols, and where its certificate comes from.
import { type SecureContextOptions, type TlsOptions } from 'node:tls';
import { type Unsubscribe } from './ports.ts';
import { LIMITS } from '../sdk/contract/limits.ts';

/** Versions below 1.2 have known breaks (RFC 8996); the suites of both that are left are Node's, without those that do. */
export const TLS_SERVER: TlsOptions = {
  minVersion: 'TLSv1.2',
  ALPNProtocols: ['h2', 'http/1.1'],
  honorCipherOrder: true,
  handshakeTimeout: LIMITS.requestHeaderMs,
};

/** The certificate in use. Twin: FixedCertificates. */
export interface TlsCertificates {
  /** Throws TLS_CERTIFICATE_INVALID. */
  load(): Promise<SecureContextOptions>;
  /** Calls back when there is another one; connections that are open keep theirs. */
  watch(onChange: (context: SecureContextOptions) => void): Unsubscribe;
}

/** A certificate that a test sets. */
export class FixedCertificates implements TlsCertificates {
  readonly #listeners = new Set<(context: SecureContextOptions) => void>();
  #context: SecureContextOptions;

  constructor(context: SecureContextOptions) {
    this.#context = context;
  }

  load(): Promise<SecureContextOptions> {
    return Promise.resolve(this.#context);
  }

  set(context: SecureContextOptions): void {
    this.#context = context;
    for (const listener of this.#listeners) listener(context);
  }

  watch(onChange: (context: SecureContextOptions) => void): Unsubscribe {
    this.#listeners.add(onChange);
    return () => {
      this.#listeners.delete(onChange);
    };
  }
}
