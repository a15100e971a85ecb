// The public port. It will serve the Cloud Datastore v1 API; until then it says so, in that API's own error form, and
// answers the health check that emulator-aware tools make.
import { createServer, type Server } from 'node:http';
import { ERRORS, PlatformError } from '../../sdk/contract/errors.ts';

/** The port opens once the datastore has started, so whoever reaches it may use it. */
const HEALTH_PATHS = new Set(['/', '/healthz', '/readyz']);

export class PublicDatastoreServer {
  #server: Server | undefined;

  /** Listens on `port` (0: a free one) and returns it. Throws PORT_BUSY. */
  async start(options: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }> {
    const server = createServer((request, response) => {
      request.resume();
      if (HEALTH_PATHS.has(request.url ?? '') && (request.method === 'GET' || request.method === 'HEAD')) {
        response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
        response.end('Ok\n');
        return;
      }
      const { httpStatus, grpc, message, mend } = ERRORS.NOT_IMPLEMENTED;
      response.writeHead(httpStatus, { 'content-type': 'application/json; charset=utf-8' });
      response.end(
        JSON.stringify({ error: { code: httpStatus, status: grpc, message: `${message}: the Cloud Datastore v1 API. ${mend}` } }),
      );
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(
          cause.code === 'EADDRINUSE'
            ? new PlatformError('PORT_BUSY', String(options.port), { details: { port: options.port, flag: '--datastore-port' }, cause })
            : cause,
        );
      });
      server.listen(options.port, options.host, resolve);
    });
    const address = server.address();
    return { port: typeof address === 'object' && address ? address.port : options.port };
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    server.closeAllConnections();
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
  }
}
