// Which addresses an app may reach. Pure: on parsed addresses, never on text, so that no spelling slips through
// (security: 30, 31, 35). Everything is refused but public unicast and what the operator allows.
// It must not resolve names or connect. Read next: guarded-connector.ts, broker.ts.
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** An address range, as `10.0.0.0/8` or `fd00::/8`. */
export interface AddressRange {
  readonly base: Address;
  readonly bits: number;
}

export interface AddressRules {
  /** Ranges that the operator allows besides the public addresses. */
  readonly allow: readonly AddressRange[];
  /** Ports on which the platform itself listens on this machine. */
  readonly ownPorts: readonly number[];
  /** Addresses of this machine's interfaces; asked anew for each check, because they change. */
  readonly ownAddresses: () => readonly string[];
}

/** App Engine's: 80 to 90, 440 to 450, 1024 to 65535. Below lie mail, remote shells and name servers. */
const PORT_RANGES: readonly (readonly [number, number])[] = [
  [80, 90],
  [440, 450],
  [1_024, 65_535],
];
/** All of IPv6 that is given out to networks. What lies outside may lead anywhere, such as `::127.0.0.1`. */
const GLOBAL_UNICAST = ipaddr.IPv6.parse('2000::');
const GLOBAL_UNICAST_BITS = 3;

/** Undefined when `text` is not a range with its length, such as `10.0.0.0/8`. */
export function parseAddressRange(text: string): AddressRange | undefined {
  if (!ipaddr.isValidCIDR(text) || !/^[0-9a-f:.]+\/\d+$/i.test(text)) return undefined;
  const [base, bits] = ipaddr.parseCIDR(text);
  return { base, bits };
}

/** Why no app may connect there; undefined when it may. `address` is an IP address as the system writes it. */
export function refusalOf(address: string, port: number, rules: AddressRules): string | undefined {
  if (!PORT_RANGES.some(([low, high]) => port >= low && port <= high)) return `port ${port} is not one of 80-90, 440-450, 1024-65535`;
  if (!ipaddr.isValid(address)) return 'it is not an IP address';
  const parsed = unmapped(ipaddr.parse(address));
  const own = isOwn(parsed, rules);
  if (own && rules.ownPorts.includes(port)) return `port ${port} of this machine belongs to the platform`;
  if (rules.allow.some((range) => contains(range, parsed))) return undefined;
  // A firewall before this machine does not see what comes from within it.
  if (own && isPublic(parsed)) return `${parsed.toString()} is an address of the platform's own machine`;
  if (isPublic(parsed)) return undefined;
  return `${parsed.toString()} is not a public address (${rangeOf(parsed)})`;
}

/** An IPv4 address in IPv6's clothes is that IPv4 address: the kernel connects to it. */
function unmapped(address: Address): Address {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST, GLOBAL_UNICAST_BITS);
}

function rangeOf(address: Address): string {
  const range = address.range();
  return range === 'unicast' ? 'not global' : range;
}

function contains({ base, bits }: AddressRange, address: Address): boolean {
  if (address instanceof ipaddr.IPv4) return base instanceof ipaddr.IPv4 && address.match(base, bits);
  return base instanceof ipaddr.IPv6 && address.match(base, bits);
}

function isOwn(address: Address, { ownAddresses }: AddressRules): boolean {
  const range = address.range();
  // 0.0.0.0/8 and :: lead to this machine as well.
  if (range === 'loopback' || range === 'unspecified') return true;
  const text = address.toNormalizedString();
  return ownAddresses().some((own) => ipaddr.isValid(own) && unmapped(ipaddr.parse(own)).toNormalizedString() === text);
}
