// What the command line and the datastore that it starts for `appengine emulator datastore` agree on. They meet in bin/appengine.mjs.
import { type PlatformError } from './errors.ts';

export interface EmulatorOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Absent: nothing is kept. */
  readonly dataDirectory?: string;
  /** Whether POST /reset and /shutdown are served. */
  readonly allowsReset: boolean;
  /** Whether a query without its index is refused; else the index is made. */
  readonly requiresIndexes: boolean;
  /** An index.yaml: what it declares is there; indexes that are made are written to it. */
  readonly indexFile?: string;
}

export interface RunningEmulator {
  /** Where it listens. */
  readonly port: number;
  /** Resolves when somebody asked for its end by POST /shutdown, or with why it cannot go on. */
  readonly ended: Promise<PlatformError | undefined>;
  /** Finishes the calls under way; everything is durable then. Twice without harm. */
  close(): Promise<void>;
}

/** Throws PORT_BUSY, DATA_DIR_HELD, MANIFEST_INVALID, USAGE. `warn` is told what people should know, at any time. */
export type StartEmulator = (options: EmulatorOptions, warn: (line: string) => void) => Promise<RunningEmulator>;

/** A command that the user wants run: by their shell, or a program with its arguments. */
export type UserCommand =
  { readonly kind: 'shell'; readonly text: string } | { readonly kind: 'program'; readonly words: readonly [string, ...string[]] };

export interface CommandEnd {
  /** As a shell would say it: 128 and more for a signal, 127 when there is no such program, 126 when it cannot be run. */
  readonly code: number;
  /** Why it could not be started. */
  readonly failure?: string;
}

/** It has this process's standard streams. */
export interface RunningCommand {
  /** When it and all that hold its output are over. Never rejects. */
  readonly ended: Promise<CommandEnd>;
  signal(name: NodeJS.Signals): void;
}

export type StartCommand = (command: UserCommand, environment: Readonly<Record<string, string>>) => RunningCommand;
