import { type V1Surface } from '../../datastore/api/v1/transport/http-front.ts';
import { type Authenticate, openToAll } from '../../datastore/api/v1/transport/identity.ts';
import { type V1Service } from '../../datastore/api/v1/port.ts';
import { DatastoreV1Server } from '../../datastore/api/v1/transport/server.ts';
import { CertificateFiles } from '../../router/certificate-files.ts';
import { type CloseStack } from '../../sdk/support/close-stack.ts';
import { type TokenAccess } from '../api/token-access.ts';
import { type PlatformSettings, type PlatformWorld } from './settings.ts';

/** The port of the public datastore API: for whoever bears a token, or, on a loopback address in development, for everybody. */
export async function startDatastorePort(
  settings: Pick<PlatformSettings, 'bind' | 'ports' | 'datastoreAuth' | 'tls'>,
  service: V1Service,
  tokens: TokenAccess,
  surface: V1Surface,
  { clock, timers, log }: PlatformWorld,
  closing: CloseStack,
): Promise<void> {
  const byToken: Authenticate = (credentials) => tokens.authenticate(credentials);
  const server = new DatastoreV1Server(service, clock, timers, log, {
    authenticate: settings.datastoreAuth ? byToken : openToAll,
    surface,
    ...(settings.tls ? { certificates: new CertificateFiles(settings.tls, clock, timers, log) } : {}),
  });
  await server.start({ host: settings.bind, port: settings.ports.datastore });
  closing.defer(() => server.close());
}
