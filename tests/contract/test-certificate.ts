// Certificates for tests, made by openssl when a test asks and kept in memory.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** One for localhost, the app `hello` there and 127.0.0.1, signed by itself. */
export function testCertificate(commonName = 'localhost'): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
        ...['-keyout', keyFile, '-out', certFile, '-subj', `/CN=${commonName}`],
        ...['-addext', 'subjectAltName=DNS:localhost,DNS:hello.localhost,IP:127.0.0.1'],
      ],
      { stdio: 'pipe' },
    );
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
