// What a datastore token looks like, and what is kept of it.
//
//   token := "aeds_" 64 hexadecimal digits of 32 random bytes     the prefix is there for scanners that look for secrets
//   hash  := SHA-256 of the token's text, 64 hexadecimal digits   names its record, so finding it takes no time that
//                                                                 depends on the secrets that are there
import { createHash } from 'node:crypto';
import { type Random } from '../../sdk/support/clock.ts';

const SECRET_BYTES = 32;
const FORM = /^aeds_[0-9a-f]{64}$/;

export function newTokenSecret(random: Random): string {
  return `aeds_${random.bytes(SECRET_BYTES).toString('hex')}`;
}

/** Undefined for what was never a token: then nobody need look for it. */
export function tokenHash(text: string): string | undefined {
  return FORM.test(text) ? createHash('sha256').update(text).digest('hex') : undefined;
}
