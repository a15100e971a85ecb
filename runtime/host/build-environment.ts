// What a build gets of the operator's own settings: where packages come from, through which proxy, and whom to trust.
import { existsSync } from 'node:fs';
import { PLATFORM_DIRECTORY, type ReadOnlyMount } from '../sandbox/port.ts';

const ADDRESSES = ['npm_config_registry', 'HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy', 'PIP_INDEX_URL'];
const PLAIN = ['NO_PROXY', 'no_proxy'];
/** Node adds these to the authorities it knows. */
const AUTHORITIES = 'NODE_EXTRA_CA_CERTS';
const AUTHORITIES_INSIDE = `${PLATFORM_DIRECTORY}/authorities.pem`;

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
  const file = own[AUTHORITIES];
  if (file === undefined || !existsSync(file)) return { environment, readOnlyMounts: [] };
  return {
    environment: { ...environment, [AUTHORITIES]: AUTHORITIES_INSIDE },
    readOnlyMounts: [{ from: file, to: AUTHORITIES_INSIDE }],
  };
}

function isWithoutPassword(address: string): boolean {
  return URL.canParse(address) && new URL(address).password === '' && new URL(address).username === '';
}
