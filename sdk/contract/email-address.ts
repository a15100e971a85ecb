import { LIMITS } from './limits.ts';

/** Printable ASCII, since addresses go into headers; a domain of letters, digits and hyphens (Unicode as `xn--`). */
const ADDRESS = /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** The one form of an e-mail address by which accounts are found: lower case, without spaces around. Undefined: none. */
export function normalEmail(text: string): string | undefined {
  const email = text.trim().toLowerCase();
  return email.length <= LIMITS.accountEmailCharactersMax && ADDRESS.test(email) ? email : undefined;
}
