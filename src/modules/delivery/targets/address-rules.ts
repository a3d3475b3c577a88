import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Which addresses a target may have. */
export interface AddressRules {
  /** Why no connection is made to this IP address, as the end of "… is refused: it"; undefined when it may be made. */
  refusalOf(address: string): string | undefined;
}

interface Block {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** A CIDR, or an address alone. Throws on anything else. */
const blockOf = (cidr: string): Block => {
  if (!cidr.includes('/')) {
    const bytes = ipaddr.parse(cidr).toByteArray();
    return { bytes, bits: bytes.length * 8 };
  }
  const [network, bits] = ipaddr.parseCIDR(cidr);
  return { bytes: network.toByteArray(), bits };
};

const isWithin = (bytes: readonly number[], block: Block): boolean => {
  if (bytes.length !== block.bytes.length) return false;
  for (let index = 0, left = block.bits; left > 0; index += 1, left -= 8) {
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if (((bytes[index] ?? 0) & mask) !== ((block.bytes[index] ?? 0) & mask)) return false;
  }
  return true;
};

/** Link-local, and where cloud providers answer with a machine's credentials. No setting opens these. */
const neverAllowed = [
  '169.254.0.0/16', // link-local; 169.254.169.254 and 169.254.170.2 are metadata
  'fe80::/10', // link-local
  'fd00:ec2::/32', // AWS
  'fd20:ce::254/128', // Google Cloud
  'fd00:c1::a9fe:a9fe/128', // Oracle Cloud
  '100.100.100.200/32', // Alibaba Cloud
  '192.0.0.192/32', // Oracle Cloud, formerly
  '168.63.129.16/32', // Azure
].map(blockOf);

/** What the IANA special-purpose registries do not call globally reachable (RFC 6890). */
const notPublic = [
  '0.0.0.0/8', // this network; 0.0.0.0 reaches the machine itself
  '10.0.0.0/8',
  '100.64.0.0/10', // carrier-grade NAT
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays, deprecated
  '192.168.0.0/16',
  '198.18.0.0/15', // benchmarking
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
  '2001::/23', // protocol assignments, benchmarking, ORCHID
  '2001:db8::/32', // documentation
  '3fff::/20', // documentation
].map(blockOf);

/** IPv6 outside of it is loopback, unique local, site-local, multicast or not assigned. */
const globalUnicast = blockOf('2000::/3');

/** IPv6 ways of writing an IPv4 address: what counts is the address inside. */
const wrappings: readonly { block: Block; inner: (bytes: readonly number[]) => number[][] }[] = [
  { block: blockOf('::ffff:0:0/96'), inner: (bytes) => [bytes.slice(12)] }, // IPv4-mapped
  { block: blockOf('::ffff:0:0:0/96'), inner: (bytes) => [bytes.slice(12)] }, // SIIT, RFC 7915
  { block: blockOf('64:ff9b::/96'), inner: (bytes) => [bytes.slice(12)] }, // NAT64, RFC 6052
  { block: blockOf('2002::/16'), inner: (bytes) => [bytes.slice(2, 6)] }, // 6to4
  { block: blockOf('2001::/32'), inner: (bytes) => [bytes.slice(4, 8), bytes.slice(12).map((byte) => byte ^ 0xff)] }, // Teredo: server and client
];

const ipv4Compatible = blockOf('::/96');
const localNat64 = blockOf('64:ff9b:1::/48'); // RFC 8215

/** Networks of their own that may lead to an IPv4 address as well: both count. */
const tunnels = (bytes: readonly number[]): number[][] => {
  if (bytes.length !== 16) return [];
  const isIsatap = ((bytes[8] ?? 0) & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe; // RFC 5214
  if (isIsatap || isWithin(bytes, ipv4Compatible)) return [bytes.slice(12)];
  if (isWithin(bytes, localNat64)) return [bytes.slice(12), [...bytes.slice(6, 8), ...bytes.slice(9, 11)]];
  return [];
};

const isPublic = (bytes: readonly number[]): boolean =>
  (bytes.length === 4 || isWithin(bytes, globalUnicast)) && !notPublic.some((block) => isWithin(bytes, block));

/** Public addresses and those in `allow` (CIDRs or single addresses; throws when one is malformed); link-local and metadata addresses never. */
export const createAddressRules = (allow: readonly string[]): AddressRules => {
  const allowed = allow.map(blockOf);
  const isAllowed = (bytes: readonly number[]) => allowed.some((block) => isWithin(bytes, block));
  const isFine = (bytes: readonly number[]) => isPublic(bytes) || isAllowed(bytes);

  return {
    refusalOf(address) {
      const [bare = ''] = address.split('%'); // without the zone of fe80::1%eth0
      if (isIP(bare) === 0) return 'is not an IP address';
      const bytes = ipaddr.parse(bare).toByteArray();
      const wrapped = wrappings.find(({ block }) => isWithin(bytes, block))?.inner(bytes);
      const inner = wrapped ?? tunnels(bytes);
      if ([bytes, ...inner].some((one) => neverAllowed.some((block) => isWithin(one, block)))) {
        return 'is link-local or a metadata service, which is never allowed';
      }
      const mayPass = wrapped === undefined ? isAllowed(bytes) || [bytes, ...inner].every(isFine) : wrapped.every(isFine);
      return mayPass ? undefined : 'is not public and not among the addresses that this server allows';
    },
  };
};
