import type { LookupAddress } from 'node:dns';
import { lookup as lookupName } from 'node:dns/promises';
import { createRequire } from 'node:module';
import { isIP, type LookupFunction, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Agent, buildConnector } from 'undici';
import { createBag } from '../../../foundation/bag.ts';
import { Problem } from '../../../foundation/problem.ts';
import { createAddressRules } from './address-rules.ts';
import { exchange, type OutboundRequest, type Reply, type Running } from './exchange.ts';
import { AddressRefused } from './outbound-failure.ts';

export type { OutboundRequest, Reply } from './exchange.ts';

/** The only way out of the server to addresses that callers chose. */
export interface Outbound {
  /**
   * Resolves when a connection may be made as far as can be known now. A name that does not resolve within 2 s passes, since every
   * connection is checked again. Throws Problem `bad-body` for what is no http(s) URL, `address-not-allowed` for a refused address.
   */
  checkUrl(url: string): Promise<void>;
  /** Never rejects. Connects only to checked addresses, follows no redirect, and resets a connection that says more than is read. */
  request(request: OutboundRequest): Promise<Reply>;
  /** Cuts off what is under way and resolves when every socket is gone. */
  close(): Promise<void>;
}

/** Resolves a name to all its addresses; rejects with a code as `dns.lookup` does. */
export type ResolveName = (hostname: string) => Promise<LookupAddress[]>;

// The client is loaded with the first request that goes out: a server should listen before it has read code that it does not need yet.
const require = createRequire(import.meta.url);

const maxHeaderBytes = 16 * 1024;
const connectTimeoutMs = 10_000;
const checkTimeoutMs = 2000;

const badUrl = (why: string) =>
  new Problem('bad-body', `The address of the target ${why}.`, { errors: [{ in: 'body', at: '/config/url', why }] });

/** The URL of a target. Throws Problem `bad-body` when it is none, has another scheme than http or https, or carries user info. */
export const parseTargetUrl = (text: string): URL => {
  const url = URL.parse(text);
  if (url === null) throw badUrl('is not a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw badUrl('must start with http:// or https://');
  if (url.username !== '' || url.password !== '') throw badUrl('must not carry a user name or password');
  url.hash = '';
  return url;
};

/** The host of a URL without the brackets of IPv6. WHATWG URL parsing has turned every spelling of IPv4 (hex, octal, one number) into dots. */
const hostOf = (url: URL): string => (url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname);

/** Lookups of one name that run at the same time are one, so that opening many connections does not crowd the resolver's threads. */
const shareRunning = (resolve: ResolveName): ResolveName => {
  const running = new Map<string, Promise<LookupAddress[]>>();
  return (hostname) => {
    const known = running.get(hostname);
    if (known !== undefined) return known;
    const lookup = resolve(hostname).finally(() => running.delete(hostname));
    running.set(hostname, lookup);
    return lookup;
  };
};

/** Public addresses may be reached, and those in `allow` (CIDRs; throws when one is malformed). `resolve` is `dns.lookup` unless given. */
export const createOutbound = ({ allow, resolve }: { allow: readonly string[]; resolve?: ResolveName }): Outbound => {
  const rules = createAddressRules(allow);
  const resolveName = shareRunning(resolve ?? ((hostname) => lookupName(hostname, { all: true })));
  const connecting = new Set<Socket>();
  const running = createBag<Running>();
  const heeded = new WeakSet<AbortSignal>();

  /** Those of a name's addresses that may be connected to; throws AddressRefused when none is left. */
  const allowedAddresses = async (hostname: string): Promise<LookupAddress[]> => {
    const found = await resolveName(hostname);
    const allowed = found.filter(({ address }) => rules.refusalOf(address) === undefined);
    const refusal = found.map(({ address }) => rules.refusalOf(address)).find((reason) => reason !== undefined);
    if (allowed.length === 0 && refusal !== undefined) throw new AddressRefused(hostname, refusal);
    return allowed;
  };

  const lookup: LookupFunction = (hostname, options, callback) => {
    allowedAddresses(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined) callback(Object.assign(new Error(`no address for ${hostname}`), { code: 'ENOTFOUND' }), []);
        else if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error) => callback(error, []),
    );
  };

  const openAgent = (): Agent => {
    const undici = require('undici') as typeof import('undici');
    // The socket connects to what `lookup` returned and asks no second time; an address in the URL itself is never looked up, so it is checked here.
    const connectSocket = undici.buildConnector({ lookup, timeout: connectTimeoutMs });
    const connect: buildConnector.connector = (options, callback) => {
      const refusal = isIP(options.hostname) === 0 ? undefined : rules.refusalOf(options.hostname);
      if (refusal !== undefined) {
        process.nextTick(callback, new AddressRefused(options.hostname, refusal), null);
        return;
      }
      // The agent knows a socket only once it is connected, so those on the way are kept here for `close`. Undici returns them, untyped.
      const socket: unknown = connectSocket(options, (...outcome) => {
        if (socket instanceof Socket) connecting.delete(socket);
        callback(...outcome);
      });
      if (socket instanceof Socket) connecting.add(socket);
    };

    // Connections per origin are as many as there are requests at a time (pipelining 1), which the lanes' concurrency bounds: one target never
    // waits behind another at the same origin. Idle ones are kept for 4 s, or as long as the target's `Keep-Alive` says.
    return new undici.Agent({ connect, pipelining: 1, headersTimeout: 0, bodyTimeout: 0, maxHeaderSize: maxHeaderBytes });
  };
  let agent: Agent | undefined;

  /**
   * Cuts off all requests of a signal when it is given. One listener stands for all of them: listeners of their own would form a chain, and
   * one that has grown old would keep all later ones, with their requests, until the next full collection.
   */
  const heed = (signal: AbortSignal) => {
    if (heeded.has(signal)) return;
    heeded.add(signal);
    signal.addEventListener('abort', () => cutAll(signal, 'The try was cut off.'), { once: true });
  };

  const cutAll = (signal: AbortSignal | undefined, reason: string) => {
    for (const one of [...running.items]) if (signal === undefined || one.signal === signal) one.cutOff(reason);
  };

  return {
    async checkUrl(text) {
      const hostname = hostOf(parseTargetUrl(text));
      const refusal = isIP(hostname) === 0 ? await refusalOfName(hostname, allowedAddresses) : rules.refusalOf(hostname);
      if (refusal === undefined) return;
      throw new Problem('address-not-allowed', `The address of ${hostname} ${refusal}.`, {
        errors: [{ in: 'body', at: '/config/url', why: refusal }],
      });
    },
    request(request) {
      if (request.url.username !== '' || request.url.password !== '') return Promise.resolve({ reason: 'The address carries user info.' });
      agent ??= openAgent();
      if (request.signal && !request.signal.aborted) heed(request.signal);
      return exchange(agent, running, request);
    },
    async close() {
      cutAll(undefined, 'Entrepot is stopping.');
      for (const socket of [...connecting]) socket.destroy(new Error('Entrepot is stopping.'));
      await agent?.destroy();
    },
  };
};

const refusalOfName = async (hostname: string, allowedAddresses: ResolveName): Promise<string | undefined> => {
  const given = new AbortController();
  const refusal = allowedAddresses(hostname).then(
    () => undefined,
    (error) => (error instanceof AddressRefused ? error.refusal : undefined),
  );
  const late = delay(checkTimeoutMs, undefined, { signal: given.signal }).catch(() => undefined);
  const first = await Promise.race([refusal, late]);
  given.abort();
  return first;
};
