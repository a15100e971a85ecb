// A build of an app: a command run in a sandbox of its own that may write the build directory and reach the network.

export interface BuildSpec {
  readonly appId: string;
  /** Directory on this host that the build sees as its working directory and may write. */
  readonly directory: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** As of an instance: see instance.ts. */
  readonly runtime?: string;
  readonly memoryBytesMax: number;
  readonly timeoutMs: number;
}

export interface BuildResult {
  readonly code: number | null;
  readonly signal: string | null;
  /** For people, when it did not succeed: "npm exited with code 1", "it took longer than 600 s". */
  readonly reason: string;
  readonly cpuMicros?: number;
}

/** Served by the host beside InstanceHost, as RPC service `host`. */
export interface BuildHost {
  /** Runs one build; lines of its output go to `onOutput` as they come. Abort kills it. Throws RUNTIME_MISSING. */
  build(spec: BuildSpec, options: { readonly onOutput: (line: string) => void; readonly signal?: AbortSignal }): Promise<BuildResult>;
}
