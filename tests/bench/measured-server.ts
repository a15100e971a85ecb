// A server in a process of its own, as its parent asks it: 'cpu' is answered with the microseconds that all its threads have used,
// 'stop' ends it in order, and so does the parent's end.

/** Says `ready` to the parent, then answers it. `close` ends what is served. */
export function answerParent(ready: unknown, close: () => Promise<void>): void {
  process.on('message', (message) => {
    if (message === 'cpu') {
      const { user, system } = process.cpuUsage();
      process.send?.(user + system);
    } else if (message === 'stop') void close().then(() => process.exit(0));
  });
  process.on('disconnect', () => process.exit(1));
  process.send?.(ready);
}
