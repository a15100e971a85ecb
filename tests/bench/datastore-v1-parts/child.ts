// A server in a process of its own, which is asked what CPU it has used.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export class ServerChild {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(program: string, words: readonly string[]): Promise<ServerChild> {
    const child = fork(program, [...words], { execArgv: ['--import', 'tsx'] });
    const [port] = (await once(child, 'message')) as [number];
    return new ServerChild(child, port);
  }

  /** CPU so far, of all its threads, in microseconds. */
  async cpuMicros(): Promise<number> {
    return (await this.ask('cpu')) as number;
  }

  async ask(message: string | object): Promise<unknown> {
    const answered = once(this.#child, 'message');
    this.#child.send(message);
    return ((await answered) as [unknown])[0];
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.send('stop');
    await exited;
  }
}
