// Names as this machine resolves them, without the thread pool: getaddrinfo would occupy its few threads while an app
// asks for names that nobody answers, and everything else of the process would wait.
import { readFile } from 'node:fs/promises';
import { Resolver as DnsResolver } from 'node:dns/promises';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Resolver } from '../services/url-fetch/guarded-connector.ts';

const TIMEOUT_MS = 3_000;
const TRIES = 2;
const LOCALHOST = /^(.+\.)?localhost$/;

/** The hosts file first, then the name servers. */
export function dnsResolver(options: { readonly hostsFile: string }): Resolver {
  return async (hostname) => {
    const name = hostname.toLowerCase();
    if (LOCALHOST.test(name)) return ['127.0.0.1'];
    const listed = await inHostsFile(options.hostsFile, name);
    if (listed.length > 0) return listed;
    const dns = new DnsResolver({ timeout: TIMEOUT_MS, tries: TRIES });
    const answers = await Promise.allSettled([dns.resolve4(name), dns.resolve6(name)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0) return addresses;
    const [cause] = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as NodeJS.ErrnoException] : []));
    throw new PlatformError('FETCH_FAILED', `the name ${hostname} cannot be resolved (${cause?.code ?? 'no address'})`, { cause });
  };
}

async function inHostsFile(path: string, name: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/);
    return names.includes(name) ? [address] : [];
  });
}
