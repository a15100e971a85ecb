/** When each phase of an instance's start ended, in milliseconds after the start was asked for. Absent: nobody saw it. */
export interface StartPhases {
  /** The sandbox has executed the command. */
  readonly spawnMs?: number;
  /** The language's own program runs: its preload or forwarder. Absent where none tells. */
  readonly runtimeMs?: number;
  /** The app has called listen. */
  readonly loadMs?: number;
  /** It accepts connections. */
  readonly readyMs?: number;
}

/**
 * How long each phase took of the start that an instance's first request found, in milliseconds: until the sandbox had
 * executed the command, then until the language's own program ran, until the app listened, until it accepted connections;
 * and from the moment in which the instance was given the request until the first byte of its answer.
 */
export interface ColdStart {
  readonly spawnMs?: number;
  readonly runtimeMs?: number;
  readonly loadMs?: number;
  readonly readyMs?: number;
  readonly firstByteMs?: number;
}

/** The phases one after the other; one that was not seen counts into the next. */
export function coldStartOf(phases: StartPhases, firstByteMs: number | undefined): ColdStart {
  const durations: { -readonly [K in keyof ColdStart]: ColdStart[K] } = {};
  let endedMs = 0;
  for (const phase of ['spawnMs', 'runtimeMs', 'loadMs', 'readyMs'] as const) {
    const endMs = phases[phase];
    if (endMs === undefined) continue;
    // Events of two processes may be seen a moment out of order.
    durations[phase] = Math.max(0, endMs - endedMs);
    endedMs = Math.max(endedMs, endMs);
  }
  if (firstByteMs !== undefined) durations.firstByteMs = firstByteMs;
  return durations;
}
