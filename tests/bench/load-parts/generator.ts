// The other side of load.ts: a process of its own, so that what it measures does not wait for its own work elsewhere.
import { Agent, request } from 'node:http';
import { type LoadJob, type LoadSample } from '../load.ts';

/** How often what is due is looked for. Being late counts as latency: the clock of a request starts when it was due. */
const LOOK_MS = 1;
const TIMEOUT_MS = 30_000;

process.once('message', (job: LoadJob) => {
  void run(job).then((samples) => {
    process.send?.(samples, () => {
      process.disconnect();
    });
  });
});

async function run(job: LoadJob): Promise<LoadSample[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const startMs = performance.now();
  const samples: LoadSample[] = [];
  const open = new Set<Promise<void>>();
  const send = (dueMs: number): Promise<void> => {
    const sent = exchange(job, agent).then((status) => {
      const endMs = performance.now() - startMs;
      samples.push({ dueMs, latencyMs: endMs - dueMs, status });
      open.delete(sent);
    });
    open.add(sent);
    return sent;
  };
  if (job.kind === 'open') await sendWhenDue(job.steps, startMs, send);
  else await keepSending(job.clients, job.durationMs, startMs, send);
  await Promise.all(open);
  agent.destroy();
  return samples;
}

/** Open loop: evenly spaced, whether or not earlier ones were answered. */
async function sendWhenDue(
  steps: readonly { readonly perSecond: number; readonly durationMs: number }[],
  startMs: number,
  send: (dueMs: number) => Promise<void>,
): Promise<void> {
  let beganMs = 0;
  for (const { perSecond, durationMs } of steps) {
    const gapMs = 1_000 / perSecond;
    for (let dueMs = beganMs; dueMs < beganMs + durationMs; dueMs += gapMs) {
      while (performance.now() - startMs < dueMs) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      void send(dueMs);
    }
    beganMs += durationMs;
  }
}

/** Closed loop: each client sends its next when its last was answered. */
async function keepSending(clients: number, durationMs: number, startMs: number, send: (dueMs: number) => Promise<void>): Promise<void> {
  const client = async (): Promise<void> => {
    for (let nowMs = performance.now() - startMs; nowMs < durationMs; nowMs = performance.now() - startMs) await send(nowMs);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

/** Resolves with the status; 0 when no answer came. */
function exchange({ port, host, path }: LoadJob, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port, path, headers: { host }, agent, timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      response.once('end', () => {
        resolve(response.statusCode ?? 0);
      });
      response.once('error', () => {
        resolve(0);
      });
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.once('error', () => {
      resolve(0);
    });
    outgoing.end();
  });
}
