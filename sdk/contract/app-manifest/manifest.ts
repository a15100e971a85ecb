// app.yaml after parsing, checking and filling in defaults: what the rest of the platform reads.
// Elements and defaults: App Engine's app.yaml reference, second generation.

export interface AppManifest {
  /** As written, for example `nodejs` or `nodejs20`. */
  readonly runtime: string;
  readonly service: string;
  /** Shell command that starts the app, instead of the runtime's own. */
  readonly entrypoint?: string;
  readonly instanceClass: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly buildEnvironment: Readonly<Record<string, string>>;
  readonly handlers: readonly ManifestHandler[];
  /** Seconds; App Engine's default is 10 minutes. */
  readonly defaultExpirationSeconds: number;
  readonly errorPages: readonly ManifestErrorPage[];
  readonly warmup: boolean;
  readonly scaling: Scaling;
}

export interface ManifestHandler {
  readonly url: string;
  readonly target:
    | { readonly kind: 'script' }
    | { readonly kind: 'static-dir'; readonly directory: string }
    | { readonly kind: 'static-files'; readonly path: string; readonly upload: string };
  readonly secure: 'always' | 'never' | 'optional';
  readonly redirectStatus: 301 | 302 | 303 | 307;
  /** Who may come here: anybody, who has signed in, administrators of the app. */
  readonly login: 'optional' | 'required' | 'admin';
  /** What a visitor gets who has not signed in and must: the log-in page, or 401. */
  readonly authFailAction: 'redirect' | 'unauthorized';
  readonly mimeType?: string;
  readonly expirationSeconds?: number;
  readonly httpHeaders?: Readonly<Record<string, string>>;
  readonly requireMatchingFile: boolean;
}

/** What visitors see instead of the platform's page for an error of the platform's own. */
export interface ManifestErrorPage {
  readonly cause: 'default' | 'over_quota' | 'timeout';
  /** Path within the app. */
  readonly file: string;
  readonly mimeType: string;
}

/** How many instances a version has, and who decides it. */
export type Scaling = AutomaticScaling | BasicScaling | ManualScaling;

/** Defaults: App Engine's; pending latencies `automatic` become the scheduler's own numbers. */
export interface AutomaticScaling {
  readonly kind: 'automatic';
  readonly minInstances: number;
  readonly maxInstances: number;
  readonly minIdleInstances: number;
  /** Absent: the scheduler decides. */
  readonly maxIdleInstances?: number;
  readonly maxConcurrentRequests: number;
  /** 0.5 … 0.95 */
  readonly targetThroughputUtilization: number;
  readonly targetCpuUtilization: number;
  readonly minPendingLatencyMs?: number;
  readonly maxPendingLatencyMs?: number;
}

/** Instances start for requests and stop when they have had none for a while. */
export interface BasicScaling {
  readonly kind: 'basic';
  readonly maxInstances: number;
  /** App Engine's default is 5 minutes. */
  readonly idleTimeoutMs: number;
}

/** So many instances run as long as the version does. */
export interface ManualScaling {
  readonly kind: 'manual';
  readonly instances: number;
}
