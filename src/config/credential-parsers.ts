import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Secret } from '../foundation/secret.ts';
import { isLoopbackHost, readHttpUrl } from './network-parsers.ts';
import type { Parser } from './parsers.ts';

/** An identity provider whose tokens are taken. */
export interface TrustedIssuer {
  /** Letter for letter what its tokens say in `iss`. */
  readonly issuer: string;
  /** What its tokens must say in `aud`. */
  readonly audience: string;
}

/** Options follow an address after semicolons; `aud` is the only one. Two addresses that are the same would contradict each other. */
export const trustedIssuerList: Parser<readonly TrustedIssuer[]> = {
  takes:
    'https URLs of issuers (http for this machine only), separated by commas, each with ;aud=… where its tokens are not for entrepot, such as https://id.example;aud=api',
  read(text) {
    if (text === '') return [];
    const issuers = text.split(',').map((item) => readIssuer(item.trim()));
    const isEach = issuers.every((issuer) => issuer !== undefined);
    return isEach && new Set(issuers.map(({ issuer }) => issuer)).size === issuers.length ? issuers : undefined;
  },
};

const readIssuer = (text: string): TrustedIssuer | undefined => {
  const [issuer = '', ...options] = text.split(';');
  const url = readHttpUrl(issuer);
  const [, audience] = options.length === 0 ? ['', 'entrepot'] : (/^aud=([!-~]{1,255})$/.exec(options[0] ?? '') ?? []);
  if (url === undefined || url.search !== '' || url.hash !== '' || audience === undefined || options.length > 1) return undefined;
  return url.protocol === 'https:' || isLoopbackHost(hostOf(url)) ? { issuer, audience } : undefined;
};

/** Bearer tokens go there: in plain text only where they stay inside. */
export const innerUrl: Parser<string> = {
  takes:
    'an https URL without user name and password; http only for a private address or a name that is known inside alone, such as http://users:8080/check',
  read(text) {
    const url = readHttpUrl(text);
    if (url === undefined || url.hash !== '') return undefined;
    return url.protocol === 'https:' || isInside(hostOf(url)) ? url.href : undefined;
  },
};

/** Ranges of RFC 1918, 4193, 6598, 3927 and loopback; names without a dot, or under a domain that the public does not resolve. */
const innerRanges: ReadonlySet<string> = new Set(['loopback', 'private', 'uniqueLocal', 'carrierGradeNat', 'linkLocal']);
const isInside = (host: string): boolean =>
  isIP(host) === 0 ? /^[^.]+$|\.(local|localhost|internal|lan)$/i.test(host) : innerRanges.has(ipaddr.process(host).range());

/** Each may stand in a header, and a comma divides them. */
export const keyList = (leastCharacters: number): Parser<readonly Secret[]> => ({
  takes: `keys of at least ${leastCharacters} visible ASCII characters each, separated by commas`,
  read(text) {
    const keys = text.split(',').map((key) => key.trim());
    return keys.every((key) => key.length >= leastCharacters && /^[!-~]+$/.test(key)) ? keys.map((key) => new Secret(key)) : undefined;
  },
});

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');
