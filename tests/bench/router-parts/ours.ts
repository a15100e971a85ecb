// Our router with every feature on: leases, headers, handlers to match, a log row for each request.
import { statSync } from 'node:fs';
import { systemClock, systemRandom, systemTimers } from '../../../sdk/support/clock.ts';
import { MemoryLog } from '../../../sdk/support/log.ts';
import { MemoryAccounts, MemoryBlobReader, MemoryRouteTableSource } from '../../../router/memory-ports.ts';
import { type InstanceSource, type RequestLogSink } from '../../../router/ports.ts';
import { RouterServer } from '../../../router/server.ts';

const [socketPath = '', staticFile = ''] = process.argv.slice(2);

let open = 0;
/** Counts leases and nothing else, so that the figure is the router's own. */
const instances: InstanceSource = {
  acquire: () => {
    open++;
    return Promise.resolve({
      instanceId: 'i1',
      socketPath,
      isLoadingRequest: false,
      pendingMs: 0,
      release: () => {
        open--;
      },
    });
  },
};

let latencyMs = 0;
const requestLog: RequestLogSink = {
  write: (row) => {
    latencyMs += row.latencyMs;
  },
};

const handlers = [
  { kind: 'static-dir', url: '/static', directory: 'public', expirationSeconds: 600 },
  { kind: 'static-files', url: '/(.*\\.(gif|png|jpg))', path: 'images/\\1', expirationSeconds: 600 },
  { kind: 'script', url: '/.*' },
] as const;
const sha256 = 'a'.repeat(64);
const files = { 'public/hello.txt': { sha256, bytes: statSync(staticFile).size } };
const versions = [{ version: 'v1', deploymentId: 'd1', handlers, files }];
const routes = new MemoryRouteTableSource({
  revision: 1,
  apps: [{ appId: 'hello', services: [{ service: 'default', split: { v1: 1 }, shardBy: 'cookie', versions }] }],
});
const blobs = new MemoryBlobReader();
blobs.paths.set(sha256, staticFile);
const accounts = new MemoryAccounts();
const router = new RouterServer(
  { routes, instances, requestLog, blobs, accounts },
  systemClock,
  systemTimers,
  systemRandom,
  new MemoryLog(),
  {
    domain: 'localhost',
  },
);
const { port } = await router.start({ host: '127.0.0.1', port: 0 });
process.send?.({ port });
// For the profiler, which writes its file at an orderly exit.
process.on('SIGTERM', () => {
  process.exit(open === 0 && latencyMs >= 0 ? 0 : 1);
});
