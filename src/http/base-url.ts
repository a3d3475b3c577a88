import type { FastifyRequest } from 'fastify';

/**
 * How the client reached us: scheme and host of the request; what a proxy says of them counts only where it is trusted. Undefined where the
 * Host header is missing or no host. A client can write there what it likes, so this may only go back to that client.
 */
export const baseUrlOf = (request: FastifyRequest): string | undefined => {
  const text = `${request.protocol}://${request.host}`;
  if (!URL.canParse(text)) return undefined;
  const { origin, hostname } = new URL(text);
  return hostPattern.test(hostname) ? origin : undefined;
};

/** Names, IPv4 addresses, and IPv6 addresses in brackets. */
const hostPattern = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/;
