// What a build gets of the operator's own settings: where packages come from, through which proxy, and whom to trust.
import { existsSync } from 'node:fs';
import { PLATFORM_DIRECTORY, type ReadOnlyMount } from '../sandbox/port.ts';

const ADDRESSES = ['npm_config_registry', 'HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy', 'PIP_INDEX_URL', 'PIP_EXTRA_INDEX_URL'];
const PLAIN = ['NO_PROXY', 'no_proxy'];
/** Files, by where they are inside: Node adds them to the authorities it knows, pip trusts these alone. */
const AUTHORITIES: Readonly<Record<string, string>> = {
  NODE_EXTRA_CA_CERTS: `${PLATFORM_DIRECTORY}/authorities.pem`,
  PIP_CERT: `${PLATFORM_DIRECTORY}/pip-authorities.pem`,
};

export interface BuildSettings {
  readonly environment: Readonly<Record<string, string>>;
  readonly readOnlyMounts: readonly ReadOnlyMount[];
}

/** From the environment of this process. An address that carries a password is left out: install scripts would read it. */
export function buildSettings(own: Readonly<Record<string, string | undefined>>): BuildSettings {
  const environment: Record<string, string> = {};
  for (const name of ADDRESSES) {
    const value = own[name];
    if (value !== undefined && isWithoutPassword(value)) environment[name] = value;
  }
  for (const name of PLAIN) {
    const value = own[name];
    if (value !== undefined) environment[name] = value;
  }
  const readOnlyMounts: ReadOnlyMount[] = [];
  for (const [name, inside] of Object.entries(AUTHORITIES)) {
    const file = own[name];
    if (file === undefined || !existsSync(file)) continue;
    environment[name] = inside;
    readOnlyMounts.push({ from: file, to: inside });
  }
  return { environment, readOnlyMounts };
}

function isWithoutPassword(address: string): boolean {
  return URL.canParse(address) && new URL(address).password === '' && new URL(address).username === '';
}
