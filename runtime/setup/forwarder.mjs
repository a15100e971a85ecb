// Compiles what joins the loopback of programs that are not Node to the sockets of their instance, where there is a
// compiler. Without one, runtime/host/platform-mounts.ts takes the same in JavaScript: 60 ms and 7 MB more a start.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { has, root } from './steps.mjs';

const COMPILERS = ['cc', 'gcc', 'clang'];
const FLAGS = ['-O2', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-s'];

/** Writes `forwarder` into `directory`; returns whether it could. Static where the system has what that needs: it starts sooner. */
export function compileForwarder(directory) {
  const compiler = process.platform === 'linux' ? COMPILERS.find((name) => has(name)) : undefined;
  const source = join(root, 'runtime', 'languages', 'forwarder', 'forwarder.c');
  const target = join(directory, 'forwarder');
  mkdirSync(directory, { recursive: true });
  rmSync(target, { force: true });
  if (compiler === undefined) return false;
  for (const kind of [['-static'], []]) {
    spawnSync(compiler, [...FLAGS, ...kind, '-o', target, source], { stdio: 'ignore' });
    // Built, and able to run here: a command that ends at once.
    if (existsSync(target) && spawnSync(target, ['true'], { env: { PATH: process.env.PATH } }).status === 0) {
      chmodSync(target, 0o755);
      return true;
    }
    rmSync(target, { force: true });
  }
  return false;
}
