// The peer: `node server.cjs` on a TCP port, as a shell starts it.
import { type ChildProcess, spawn } from 'node:child_process';
import { freePort } from '../../contract/free-port.ts';
import { firstByte } from './first-byte.ts';

export interface BareNode {
  readonly child: ChildProcess;
  /** From the spawn to the first byte of the first answer. */
  readonly tookMs: number;
  stop(): Promise<void>;
}

/** While nobody listens it is asked again every `retryMs`. */
export async function startBareNode(program: string, directory: string, retryMs: number): Promise<BareNode> {
  const port = await freePort();
  const beganMs = performance.now();
  const child = spawn(program, ['server.cjs'], {
    cwd: directory,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await firstByte({ port, host: '127.0.0.1' }, 'hello', { retryMs });
  return {
    child,
    tookMs: performance.now() - beganMs,
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
