// Timers never keep this process alive (sdk/support/clock.ts), so what must be finished before it ends says so.

/** Keeps the process from ending by itself until the function that it returns is called. */
export function holdOpen(): () => void {
  const { port1 } = new MessageChannel();
  port1.ref();
  return () => {
    port1.close();
  };
}
