/** One small file that only the platform's own user can read. Adapters: runtime/backends/secret-file-disk.ts, the twin below. */
export interface SecretFile {
  /** Undefined when it was never written. */
  read(): Promise<string | undefined>;
  /** Replaces it whole; resolves once it is on disk. */
  write(text: string): Promise<void>;
}

/** Twin of the port. */
export class MemorySecretFile implements SecretFile {
  text: string | undefined;

  read(): Promise<string | undefined> {
    return Promise.resolve(this.text);
  }

  write(text: string): Promise<void> {
    this.text = text;
    return Promise.resolve();
  }
}
