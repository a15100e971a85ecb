import { type Tone } from '../parts/state-badge.tsx';

/** The states are the host's own words. */
export function instanceTone(state: string): Tone {
  if (state === 'ready' || state === 'running' || state === 'idle') return 'good';
  if (state === 'starting' || state === 'booting' || state === 'warming') return 'busy';
  return state === 'draining' || state === 'stopping' ? 'warn' : 'quiet';
}
