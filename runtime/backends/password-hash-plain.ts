import { type PasswordHash } from '../services/password-hash.ts';

/** Twin of the port for tests: it hides nothing. */
export class PlainPasswordHash implements PasswordHash {
  /** Passwords that were looked at, matching or not. */
  verified = 0;

  hash(password: string): Promise<string> {
    return Promise.resolve(`plain:${password}`);
  }

  verify(hash: string, password: string): Promise<boolean> {
    this.verified++;
    return Promise.resolve(hash === `plain:${password}`);
  }
}
