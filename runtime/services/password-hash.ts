// Hashing of passwords as a port: slow on purpose, so whoever asks bounds how many run at once.

export interface PasswordHash {
  /** A text that holds everything that `verify` needs. */
  hash(password: string): Promise<string>;
  /** Takes the same time whatever the outcome. */
  verify(hash: string, password: string): Promise<boolean>;
}
