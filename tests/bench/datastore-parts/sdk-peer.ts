// The SDK's client against a datastore in another process, over the unix socket that an instance has.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Datastore, type Transaction } from '../../../sdk/client/datastore.ts';
import { RpcClient } from '../../../sdk/contract/wire/client.ts';
import { systemClock, systemRandom, systemTimers } from '../../../sdk/support/clock.ts';
import { type Item, KIND, nameOf } from './items.ts';

export class SdkItems {
  readonly #child: ChildProcess;
  readonly #rpc: RpcClient;
  readonly #datastore: Datastore;

  private constructor(child: ChildProcess, socket: string) {
    this.#child = child;
    this.#rpc = new RpcClient(socket, systemClock, systemTimers);
    this.#datastore = new Datastore(this.#rpc, systemTimers, systemRandom);
  }

  static async start(folder: string): Promise<SdkItems> {
    const socket = join(folder, 'sdk.sock');
    const child = fork(join(import.meta.dirname, 'server.ts'), [join(folder, 'sdk'), socket], { execArgv: ['--import', 'tsx'] });
    await once(child, 'message');
    return new SdkItems(child, socket);
  }

  /** CPU that the server has used so far, in microseconds. */
  async serverMicros(): Promise<number> {
    const answered = once(this.#child, 'message');
    this.#child.send('cpu');
    const [micros] = (await answered) as [number];
    return micros;
  }

  async stop(): Promise<void> {
    this.#rpc.close();
    const exited = once(this.#child, 'exit');
    this.#child.send('stop');
    await exited;
  }

  async put({ name, owner, id, text }: Item): Promise<void> {
    await this.#datastore.put({ key: this.#datastore.key(KIND, name), properties: { owner, rank: id, text }, unindexed: ['text'] });
  }

  async get(id: number): Promise<void> {
    if (!(await this.#datastore.get(this.#datastore.key(KIND, nameOf(id))))) throw new Error(`item ${id} is lost`);
  }

  /** Reads an entity in a transaction and writes it with another text. */
  async rewrite({ id, text }: Item): Promise<void> {
    const key = this.#datastore.key(KIND, nameOf(id));
    await this.#datastore.transaction(async (transaction: Transaction) => {
      const entity = await transaction.get(key);
      if (!entity) throw new Error(`item ${id} is lost`);
      transaction.put({ ...entity, properties: { ...entity.properties, text } });
    });
  }
}
