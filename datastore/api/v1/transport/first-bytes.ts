// Which protocol a client speaks, by the first bytes of its connection. Pure.

/** What a client with prior knowledge of HTTP/2 begins with (RFC 9113, section 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** How a record of a TLS handshake begins (RFC 8446, section 5.1); no method of HTTP does. */
const HANDSHAKE = 0x16;

export type Protocol = 'http1' | 'http2' | 'tls';

/** Undefined: more bytes are needed. What is not the preface of HTTP/2 is left to the parser of HTTP/1 to refuse. */
export function protocolOf(bytes: Buffer): Protocol | undefined {
  if (bytes[0] === HANDSHAKE) return 'tls';
  const length = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.compare(bytes, 0, length, 0, length) !== 0) return 'http1';
  return length === PREFACE.length ? 'http2' : undefined;
}
