import { describe, expect, it } from 'vitest';
import { protocolOf } from './first-bytes.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

describe('the first bytes of a connection', () => {
  it('are HTTP/2 once the preface is whole, whatever follows', () => {
    for (let length = 0; length < PREFACE.length; length++) expect(protocolOf(Buffer.from(PREFACE.slice(0, length)))).toBeUndefined();
    expect(protocolOf(Buffer.from(PREFACE))).toBe('http2');
    expect(protocolOf(Buffer.from(`${PREFACE}\0\0\0`))).toBe('http2');
  });

  it.each(['GET / HTTP/1.1\r\n', 'POST /', 'G', 'PR ', 'PRI * HTTP/2.1', '\0', `${PREFACE.slice(0, -1)}x`])('are HTTP/1: %j', (bytes) => {
    expect(protocolOf(Buffer.from(bytes))).toBe('http1');
  });
});
