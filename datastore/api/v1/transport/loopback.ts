// Which addresses and host names are this machine itself. Pure.

/** Of a peer or a listener, as Node writes it. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}
