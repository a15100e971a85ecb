// Services as an instance meets them: its client, a real unix socket, the service table.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wireListener } from '../../runtime/api/instance-gateway.ts';
import { CallPassage } from '../../runtime/api/call-passage.ts';
import { type ApiService, ServiceTable } from '../../runtime/api/service-table.ts';
import { MemoryUsageMeter, OPEN_GATE, type QuotaGate } from '../../runtime/api/usage-meter.ts';
import { RpcClient } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';

export class ServiceSocket {
  readonly meter: MemoryUsageMeter;
  /** Where the sockets are, `APP.sock` each. */
  readonly directory: string;
  readonly #table: ServiceTable;
  readonly #closing = new CloseStack();

  private constructor(directory: string, services: readonly ApiService[], gate: QuotaGate, meter: MemoryUsageMeter) {
    this.directory = directory;
    this.meter = meter;
    this.#table = new ServiceTable(services, new CallPassage(gate, meter), systemTimers);
    this.#closing.defer(() => rm(directory, { recursive: true, force: true }));
  }

  static async open(services: readonly ApiService[], { gate = OPEN_GATE, meter = new MemoryUsageMeter() } = {}): Promise<ServiceSocket> {
    return new ServiceSocket(await mkdtemp(join(tmpdir(), 'api-')), services, gate, meter);
  }

  /** A connection of an instance of that app. */
  async connect(appId: string): Promise<RpcClient> {
    const view = { id: `${appId}-1`, appId, service: 'default', version: 'v1', deploymentId: 'd', state: 'ready' as const };
    const instance = { ...view, socketDirectory: this.directory, startedAtMs: 0, phases: {} };
    const path = join(this.directory, `${appId}.sock`);
    const listener = wireListener(path, instance, this.#table.servicesOf(instance), systemTimers, new MemoryLog());
    await listener.start();
    this.#closing.defer(() => listener.close());
    const client = new RpcClient(path, systemClock, systemTimers);
    this.#closing.defer(() => {
      client.close();
    });
    return client;
  }

  close(): Promise<void> {
    return this.#closing.close();
  }
}
