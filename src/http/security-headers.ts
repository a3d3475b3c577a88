import type { FastifyReply } from 'fastify';

/**
 * The headers of every answer: exactly helmet's defaults (the test compares them with the plugin's), made once, because the plugin works
 * them out anew for each request. `no-store` is ours: answers hold tokens and people's data; what may be cached says so itself.
 */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
  'cache-control': 'no-store',
};

/** The same as lines of a raw HTTP/1.1 answer. */
export const securityHeaderLines = Object.entries(securityHeaders)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/**
 * For pages that people look at: only what the page itself brings. Not with helmet's `upgrade-insecure-requests`, which would send the
 * links of a server without TLS to a port where nobody listens.
 */
const pagePolicy = (sources: string): string => `default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none';${sources}`;

export const plainPagePolicy = pagePolicy("style-src 'unsafe-inline'");

/** The renderer of the API document sets styles from its scripts and draws with data: images. */
export const docsPagePolicy = pagePolicy(
  "connect-src 'self';font-src 'self';img-src 'self' data:;script-src 'self';style-src 'self' 'unsafe-inline'",
);

/** Sends a page under a policy of its own. */
export const sendHtml = (reply: FastifyReply, html: string, policy: string): void => {
  reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(html);
};
