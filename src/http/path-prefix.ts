import type { FastifyInstance } from 'fastify';

/** A path of ours, not another address (`//host/…`). */
const isOwnPath = (text: unknown): text is string => typeof text === 'string' && text.startsWith('/') && !text.startsWith('//');

/**
 * Where the world reaches us below a path (`PUBLIC_URL` is `https://example.org/files`, and a proxy takes `/files` away), paths in answers
 * need it in front: `Location`, `Content-Location` and `Link` (RFC 9110 §10.2.2, §8.7, RFC 8288). Routes write them as they know them.
 */
export const addPathPrefix = (app: FastifyInstance, publicUrl: string | undefined): void => {
  const prefix = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/$/, '');
  if (prefix === '') return;
  app.addHook('onSend', (_request, reply, payload, done) => {
    for (const name of ['location', 'content-location']) {
      const value = reply.getHeader(name);
      if (isOwnPath(value)) reply.header(name, `${prefix}${value}`);
    }
    const link = reply.getHeader('link');
    if (typeof link === 'string') reply.header('link', link.replaceAll(/<(?=\/(?!\/))/g, `<${prefix}`));
    done(null, payload);
  });
};
