// Closing a connection after its last answer, when its client still sends.
import { type Socket } from 'node:net';
import { type Timers } from './clock.ts';

/** How long a client may go on sending after its connection's last answer. */
const LINGER_MS = 2_000;

/**
 * Closes a connection so that the client can read the last answer. Closing at once while the client still sends makes
 * the kernel reset the connection, and the answer is lost with it.
 */
export function closeAfterReading(socket: Socket, timers: Timers): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  const cancel = timers.after(LINGER_MS, () => socket.destroy());
  socket.once('close', cancel);
}

/** Makes Node's server, which closes a connection after its last answer, close it that way. */
export function lingerOnClose(socket: Socket, timers: Timers): void {
  socket.destroySoon = () => {
    closeAfterReading(socket, timers);
  };
}
