// Whether a request over HTTP/1 may come from a web page. A page that somebody has open can send to every port of their machine, and a host
// name of its maker can point there; neither may reach data that is open to this machine. Pure.
import { isLoopback } from './loopback.ts';

export interface ListensAt {
  /** As the server was told to listen. */
  readonly listen: string;
  /** Whether other machines reach it, each by its own name for this one: a container calls another by the name of its service. */
  readonly isOpenToNetwork: boolean;
}

export interface HostNames extends ListensAt {
  /** Where this connection arrived. */
  readonly local: string;
}

export interface OriginHeaders {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

/** What shows that a page may have sent it; undefined of what only a program can have sent. */
export function pageSign(headers: OriginHeaders, names: HostNames): string | undefined {
  if (headers.origin !== undefined) return 'it has an Origin header, as requests of web pages do';
  const site = headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site') return 'a web page sent it';
  if (names.isOpenToNetwork) return undefined;
  const name = hostName(headers.host ?? '');
  if (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    isLoopback(name) ||
    name === names.listen ||
    name === names.local.replace(/^::ffff:/, '')
  )
    return undefined;
  return `its Host header names ${JSON.stringify(name.slice(0, 100))}, not the address that this port listens on`;
}

/** Without port and brackets. */
function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}
