import { networkInterfaces } from 'node:os';
import { type Timers } from '../../sdk/support/clock.ts';
import { type UsageMeter } from '../api/usage-meter.ts';
import { dnsResolver } from '../backends/resolver-dns.ts';
import { parseAddressRange } from '../services/url-fetch/address-guard.ts';
import { FetchBroker } from '../services/url-fetch/broker.ts';
import { type PlatformSettings } from './settings.ts';

/** The way out for apps: public addresses and what the operator allows, never the platform's own ports. */
export function fetchBroker({ fetchAllow, ports }: PlatformSettings, meter: UsageMeter, timers: Timers): FetchBroker {
  const rules = {
    allow: fetchAllow.flatMap((text) => parseAddressRange(text) ?? []),
    ownPorts: Object.values(ports),
    ownAddresses: () => Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address)),
  };
  return new FetchBroker(dnsResolver({ hostsFile: '/etc/hosts' }), rules, meter, timers);
}
