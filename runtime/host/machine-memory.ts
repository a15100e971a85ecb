import { totalmem } from 'node:os';

/** Memory of this machine, or of the container or service that we are in, which may have less. */
export function machineMemoryBytes(): number {
  const total = totalmem();
  // Without a limit the kernel says a number beyond any machine, and Node 0 or undefined.
  const constrained = (process.constrainedMemory() as number | undefined) ?? 0;
  return constrained > 0 && constrained < total ? constrained : total;
}
