import type * as Argon2 from '@node-rs/argon2';
import { type PasswordHash } from '../services/password-hash.ts';

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane; some 30 ms of one core. */
const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;

/** argon2id (the library's default), computed on a thread of its own. The library is loaded by the first password. */
export class Argon2PasswordHash implements PasswordHash {
  #library: Promise<typeof Argon2> | undefined;

  async hash(password: string): Promise<string> {
    const { hash } = await this.#load();
    return hash(password, { memoryCost: MEMORY_KIB, timeCost: PASSES, parallelism: LANES });
  }

  async verify(hash: string, password: string): Promise<boolean> {
    const { verify } = await this.#load();
    return verify(hash, password);
  }

  #load(): Promise<typeof Argon2> {
    this.#library ??= import('@node-rs/argon2');
    return this.#library;
  }
}
