// Who apps are to the kernel: each a user of this machine of its own, so that an app that got out of its sandbox would still
// be kept from other apps and from the platform by the modes of their files.
// Adapters: separate-users.ts, and here the one for where that cannot be had. Picked by app-users-choice.ts.

/** What a sandbox needs to be another user. */
export interface AppUser {
  /** On this host. */
  readonly uid: number;
  /** A user namespace in which that user is SANDBOX_USER_ID, as a file that can be opened. */
  readonly namespace: string;
}

export interface AppUsers {
  readonly kind: 'separate' | 'shared';
  /** For people: what is not separated, and how to mend it. */
  readonly warnings: readonly string[];
  /** The same at every start, and never that of another app. Undefined: whoever runs the platform. */
  userOf(appId: string): Promise<AppUser | undefined>;
  /** Makes the app's user the owner of a directory tree, so that a build may write there. Links are not followed. */
  give(directory: string, appId: string): Promise<void>;
  /** The opposite, once no process of the build is left: readable for every app, writable for none, no setuid bits. */
  takeBack(directory: string): Promise<void>;
  /** Waits for what was begun: nothing is written after it. */
  close(): Promise<void>;
}

/** All apps are the user that runs the platform. */
export class SharedUser implements AppUsers {
  readonly kind = 'shared';
  readonly warnings: readonly string[];

  constructor(warnings: readonly string[] = []) {
    this.warnings = warnings;
  }

  userOf(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  give(): Promise<void> {
    return Promise.resolve();
  }

  takeBack(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
