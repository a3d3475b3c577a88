import ipaddr from 'ipaddr.js';
import { Secret } from '../foundation/secret.ts';
import type { Parser } from './parsers.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const isHostName = (text: string): boolean =>
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i.test(text);

const isHost = (text: string): boolean =>
  ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text) || (isHostName(text) && !/^[\d.]+$/.test(text));

/** An address of this machine or a name of it; IPv6 without brackets. */
export const listenHost: Parser<string> = {
  takes: 'an IP address or a host name, such as 127.0.0.1 or 0.0.0.0',
  read: (text) => (isHost(text) ? text : undefined),
};

/** Whether what listens there can be reached from this machine only. */
export const isLoopbackHost = (host: string): boolean =>
  host.toLowerCase() === 'localhost' || (ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback');

/** Where the metrics are served: `main` is the server's own port. */
export const metricsPlace: Parser<'main' | 'off' | ListenAddress> = {
  takes: 'main, off or host:port, such as 127.0.0.1:9090 or [::1]:9090',
  read(text) {
    if (text === 'main' || text === 'off') return text;
    const [, bracketed, plain, portText] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    const port = Number(portText);
    return host !== undefined && isHost(host) && port <= 65_535 ? { host, port } : undefined;
  },
};

/** CIDR notation, canonical; an address alone means just that address. An empty text is the empty list. */
export const cidrList: Parser<readonly string[]> = {
  takes: 'addresses in CIDR notation, separated by commas, such as 10.0.0.0/8,fd00::/8',
  read: (text) => readList(text, readCidr),
};

const readCidr = (text: string): string | undefined => {
  const [address = '', prefix] = text.split('/', 2);
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return undefined;
  const bits = ipaddr.parse(address).kind() === 'ipv4' ? 32 : 128;
  const full = prefix === undefined ? `${address}/${bits}` : text;
  if (!ipaddr.isValidCIDR(full)) return undefined;
  const network = bits === 32 ? ipaddr.IPv4.networkAddressFromCIDR(full) : ipaddr.IPv6.networkAddressFromCIDR(full);
  return `${network.toString()}/${prefix ?? bits}`;
};

/** Origins as browsers send them (RFC 6454 §6.2): scheme, host and port only. */
export const originList: Parser<readonly string[]> = {
  takes: 'origins, separated by commas, such as https://app.example,http://localhost:5173',
  read: (text) => readList(text, readOrigin),
};

const readOrigin = (text: string): string | undefined => {
  const url = readHttpUrl(text);
  return url !== undefined && url.pathname === '/' && url.search === '' && url.hash === '' ? url.origin : undefined;
};

const readList = (text: string, readOne: (text: string) => string | undefined): readonly string[] | undefined => {
  if (text === '') return [];
  const items = text.split(',').map((item) => readOne(item.trim()));
  return items.every((item) => item !== undefined) ? items : undefined;
};

/** Any http or https address. User names and passwords in it are refused: they would show up in logs. */
export const httpUrl: Parser<string> = {
  takes: 'an http or https URL without user name and password',
  read: (text) => readHttpUrl(text)?.href,
};

/** The address of a server, to which paths are appended: no query, no slash at the end. */
export const baseUrl: Parser<string> = {
  takes: 'an http or https URL without query, such as https://entrepot.example',
  read(text) {
    const url = readHttpUrl(text);
    return url === undefined || url.search !== '' || url.hash !== '' ? undefined : url.href.replace(/\/+$/, '');
  },
};

const readHttpUrl = (text: string): URL | undefined => {
  if (!/^https?:\/\/[^\s\\]+$/i.test(text)) return undefined;
  const url = URL.parse(text);
  return url === null || url.username !== '' || url.password !== '' ? undefined : url;
};

/** Kept whole, as a secret: it may hold a password. `mail/open-mailer.ts` opens it. */
export const mailUrl: Parser<Secret> = {
  takes: 'log: or an smtp:// or smtps:// URL, such as smtps://user:password@mail.example.org or smtp://localhost:25?tls=required',
  read: (text) => (text === 'log:' || isSmtpUrl(text) ? new Secret(text) : undefined),
};

const isSmtpUrl = (text: string): boolean => {
  const url = /^smtps?:\/\/[^\s\\]+$/i.test(text) ? URL.parse(text) : null;
  if (url === null || !isHost(url.hostname.replace(/^\[(.*)\]$/, '$1')) || !['', '/'].includes(url.pathname) || url.hash !== '')
    return false;
  const isKnownQuery = url.search === '' || (url.protocol === 'smtp:' && url.search === '?tls=required');
  return isKnownQuery && isDecodable(url.username) && isDecodable(url.password) && (url.username !== '' || url.password === '');
};

const isDecodable = (text: string): boolean => {
  try {
    return !/\p{Cc}/u.test(decodeURIComponent(text));
  } catch {
    return false;
  }
};
