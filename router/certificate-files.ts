// A certificate and its key in two files that somebody else renews: read at the start, then again whenever they change.
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Clock, type Timers } from '../sdk/support/clock.ts';
import { type Log } from '../sdk/support/log.ts';
import { type Unsubscribe } from './ports.ts';
import { type TlsCertificates } from './tls.ts';

export interface CertificatePaths {
  /** PEM: the server's certificate, then those between it and the authority's. */
  readonly certFile: string;
  /** PEM, without a passphrase. */
  readonly keyFile: string;
}

const CHECK_MS = 5_000;
const DAY_MS = 86_400_000;
/** Certificates are renewed well before: certbot 30 days, short-lived ones a third of their life. */
const SOON_DAYS = 10;

export class CertificateFiles implements TlsCertificates {
  readonly #paths: CertificatePaths;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  /** What the files looked like when they were last read with success, and at the last failure. */
  #readMark = '';
  #failedMark = '';
  #isChecking = false;

  constructor(paths: CertificatePaths, clock: Clock, timers: Timers, log: Log) {
    this.#paths = paths;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  async load(): Promise<SecureContextOptions> {
    // Before the files are read: what changes in between is read again.
    const mark = await this.#mark();
    const pair = await readPair(this.#paths);
    const warning = expiryWarning(new X509Certificate(pair.cert), this.#clock.nowMs());
    if (warning !== undefined) this.#log.warn(warning, { certFile: this.#paths.certFile });
    this.#readMark = mark;
    this.#failedMark = '';
    return pair;
  }

  watch(onChange: (context: SecureContextOptions) => void): Unsubscribe {
    // Asked again and again rather than watched: renewals replace files, links to files, or whole directories.
    return this.#timers.every(CHECK_MS, () => {
      if (this.#isChecking) return;
      this.#isChecking = true;
      this.#check(onChange)
        .catch((error: unknown) => {
          this.#log.error('A new certificate cannot be used; the one before stays', { error });
        })
        .finally(() => {
          this.#isChecking = false;
        });
    });
  }

  async #check(onChange: (context: SecureContextOptions) => void): Promise<void> {
    const mark = await this.#mark();
    // One file is often written before the other, so a pair that failed is tried again only when it has changed.
    if (mark === this.#readMark || mark === this.#failedMark) return;
    try {
      const context = await this.load();
      onChange(context);
      this.#log.info('The certificate was read again', { certFile: this.#paths.certFile });
    } catch (error) {
      this.#failedMark = mark;
      throw error;
    }
  }

  async #mark(): Promise<string> {
    const marks = [this.#paths.certFile, this.#paths.keyFile].map(async (path) => {
      const found = await stat(path).catch(() => undefined);
      return found ? `${found.ino}.${found.size}.${found.mtimeMs}` : 'none';
    });
    return (await Promise.all(marks)).join(' ');
  }
}

/**
 * The server's certificate and key, which fit each other. Throws TLS_CERTIFICATE_INVALID. Says nothing of the certificate's
 * end: that is for who serves with it.
 */
export async function readPair({ certFile, keyFile }: CertificatePaths): Promise<{ readonly cert: Buffer; readonly key: Buffer }> {
  const cert = await readPem(certFile, '--tls-cert');
  const key = await readPem(keyFile, '--tls-key');
  const problem = pairProblem(cert, key);
  if (problem) throw invalid(problem.isKey ? keyFile : certFile, problem.isKey ? '--tls-key' : '--tls-cert', problem.reason);
  return { cert, key };
}

/** Says that a certificate is over, not yet valid, or ends soon; undefined: none of these. */
export function expiryWarning(certificate: Pick<X509Certificate, 'validFrom' | 'validTo'>, nowMs: number): string | undefined {
  const fromMs = Date.parse(certificate.validFrom);
  const toMs = Date.parse(certificate.validTo);
  if (toMs <= nowMs) return `The TLS certificate expired on ${dayOf(toMs)}: browsers refuse it`;
  if (fromMs > nowMs) return `The TLS certificate is not valid before ${dayOf(fromMs)}: browsers refuse it`;
  if (toMs - nowMs < SOON_DAYS * DAY_MS && toMs - nowMs < (toMs - fromMs) / 4) return `The TLS certificate expires on ${dayOf(toMs)}`;
  return undefined;
}

function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

async function readPem(path: string, flag: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > LIMITS.tlsFileBytesMax) throw new Error(`it has ${size} bytes, at most ${LIMITS.tlsFileBytesMax} are read`);
    return await readFile(path);
  } catch (cause) {
    throw invalid(path, flag, cause instanceof Error ? cause.message : String(cause));
  }
}

/** Why these two cannot serve together, if so. */
function pairProblem(cert: Buffer, key: Buffer): { readonly isKey: boolean; readonly reason: string } | undefined {
  try {
    createSecureContext({ cert });
  } catch (error) {
    return { isKey: false, reason: `it is no PEM certificate (${reasonOf(error)})` };
  }
  try {
    createSecureContext({ key });
  } catch (error) {
    return { isKey: true, reason: `it is no PEM key without a passphrase (${reasonOf(error)})` };
  }
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch (error) {
    return { isKey: true, reason: `it does not belong to the certificate (${reasonOf(error)})` };
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function invalid(file: string, flag: string, reason: string): PlatformError {
  return new PlatformError('TLS_CERTIFICATE_INVALID', `${file}: ${reason}`, { details: { file, flag } });
}
