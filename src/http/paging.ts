import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import type { Page } from '../foundation/page.ts';
import { Type } from '../foundation/schema.ts';

/** The query names of every list; spread them into a route's `querystring`. */
export const listQuery = {
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'How many items a page has at most.' }),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 2048, description: '`nextCursor` of the page before, unchanged.' })),
};

/** The answer of a list of `item`. */
export const pageOf = <Item extends TSchema>(item: Item) =>
  Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Optional(Type.String({ description: 'Names the next page; absent on the last one.' })),
  });

/** Sends the page, with a `Link` to the next one (RFC 8288) where there is one: the same address with the next cursor. */
export const sendPage = <Item>(request: FastifyRequest, reply: FastifyReply, page: Page<Item>): FastifyReply => {
  if (page.nextCursor === undefined) return reply.send({ items: page.items });
  const [path = '', search = ''] = request.url.split('?', 2);
  const query = new URLSearchParams(search);
  query.set('cursor', page.nextCursor);
  return reply.header('link', `<${path}?${query.toString()}>; rel="next"`).send({ items: page.items, nextCursor: page.nextCursor });
};
