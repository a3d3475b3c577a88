import type { FastifyContextConfig, FastifyRequest, FastifySchema, RouteOptions } from 'fastify';
import { Problem } from '../foundation/problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The media types that bodies may have, all in lower case; filled in from the schema's `consumes`. */
    mediaTypes?: readonly string[];
    /** Whether a request may have any other type as well: where its headers say what its body is. */
    takesAnyType?: (request: FastifyRequest) => boolean;
  }
  interface FastifySchema {
    /** The media types that bodies may have. */
    consumes?: readonly string[];
    /** The media types that answers have where they are not JSON. */
    produces?: readonly string[];
  }
}

/** What a route takes when it does not say: JSON, and for PATCH also a merge patch (RFC 7396). */
export const mediaTypesTaken = (method: RouteOptions['method'], schema: FastifySchema | undefined): readonly string[] => {
  if (schema?.consumes !== undefined) return schema.consumes.map((type) => type.toLowerCase());
  return method === 'PATCH' ? ['application/json', 'application/merge-patch+json'] : ['application/json'];
};

const charsetOf = (contentType: string): string | undefined => /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1]?.toLowerCase();

/** Refuses (415) a body of a type that the route does not take, in another charset than UTF-8 (JSON is always UTF-8), or compressed. */
export const checkMediaType = (request: FastifyRequest, { mediaTypes: taken = [], takesAnyType }: FastifyContextConfig): void => {
  if (takesAnyType?.(request)) return;
  const contentType = request.headers['content-type'];
  const list = taken.join(', ');
  if (contentType === undefined) throw new Problem('unsupported-type', `The body has no Content-Type. Taken here: ${list}.`);
  // Nearly every request has just the type; only others are looked at more closely.
  const mediaType = taken.includes(contentType) ? contentType : request.mediaType;
  if (mediaType === undefined || !taken.includes(mediaType)) {
    throw new Problem('unsupported-type', `Bodies of the type ${mediaType ?? 'given'} are not taken here, but ${list}.`);
  }
  const charset = contentType === mediaType ? undefined : charsetOf(contentType);
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8') {
    throw new Problem('unsupported-type', 'Bodies are taken in UTF-8 only.');
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw new Problem('unsupported-type', 'Compressed bodies are not taken.');
};

/** Whether the request says that it has no body, although it may name a type for it. */
export const isBodyless = ({ headers }: FastifyRequest): boolean =>
  headers['transfer-encoding'] === undefined && (headers['content-length'] === undefined || headers['content-length'] === '0');
