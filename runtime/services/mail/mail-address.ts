// Mail addresses, read strictly: what two programs could read differently is no address here.
//
//   mailbox  := address | name "<" address ">"
//   name     := words without , ; : < > @ " and backslash, or any text in double quotes
//   address  := local "@" domain      local without quotes, ASCII; domain may be international and becomes ASCII
import { domainToASCII } from 'node:url';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';

export interface Mailbox {
  /** Empty when there is none. */
  readonly name: string;
  readonly address: string;
}

const ADDRESS_CHARACTERS_MAX = 254;
const LOCAL = /^(?=.{1,64}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const NAMED = /^(.*?) *<([^<>]*)>$/s;
const QUOTED = /^"((?:[^"\\]|\\.)*)"$/s;
const BARE_NAME = /^[^,;:<>@"\\]*$/;
/** Of a header nothing of this may come from an app: it would end the line, or hide what follows. */
export const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** One mailbox. Throws MAIL_ADDRESS_INVALID, naming it and `field`. */
export function parseMailbox(text: string, field: string): Mailbox {
  const refuse = (why: string): PlatformError =>
    new PlatformError('MAIL_ADDRESS_INVALID', `${field} is ${JSON.stringify(text.slice(0, 100))}: ${why}`, { details: { field } });
  if (Buffer.byteLength(text) > LIMITS.mailHeaderBytesMax) throw refuse(`it is longer than ${LIMITS.mailHeaderBytesMax} bytes`);
  if (CONTROL.test(text)) throw refuse('it contains a line break or another control character');
  const named = NAMED.exec(text.trim());
  const address = parseAddress(named?.[2] ?? text.trim());
  if (address === undefined) throw refuse('want one address such as ada@example.com or Ada <ada@example.com>');
  const name = parseName(named?.[1] ?? '');
  if (name === undefined) throw refuse('its name must stand in double quotes');
  return { name, address };
}

/** In its usual form: the domain in lower-case ASCII. Undefined for what is no address. */
export function parseAddress(text: string): string | undefined {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  const domain = domainToASCII(text.slice(at + 1));
  if (at < 0 || !LOCAL.test(local) || !DOMAIN.test(domain) || text.length > ADDRESS_CHARACTERS_MAX) return undefined;
  return `${local}@${domain}`;
}

/** As people read it, and as `parseMailbox` reads it back. */
export function mailboxText({ name, address }: Mailbox): string {
  if (name === '') return address;
  return `${BARE_NAME.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`} <${address}>`;
}

function parseName(text: string): string | undefined {
  const quoted = QUOTED.exec(text)?.[1];
  if (quoted !== undefined) return quoted.replace(/\\(.)/gs, '$1');
  return BARE_NAME.test(text) ? text : undefined;
}
