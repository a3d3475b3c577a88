import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toRfc3339 } from '../../foundation/clock.ts';
import { encodeCursor } from '../../foundation/page.ts';
import { Type } from '../../foundation/schema.ts';
import { callerOf } from '../../http/access.ts';
import { listQuery, pageOf } from '../../http/paging.ts';
import { refusals } from '../../http/problem-reply.ts';
import { limitReply } from '../../http/rate-limit.ts';
import { bodyStream } from '../../http/stream-body.ts';
import { timesOf } from '../../http/time-range.ts';
import type { Limiter, LimitPolicy } from '../../limits/limiter.ts';
import { batchType, isBinaryMode, structuredType } from './cloudevents.ts';
import { maxEventsInArray } from './event-body.ts';
import { type DeliveriesOf, eventText } from './event-resource.ts';
import { CloudEventIn, EventOut, EventsIn, eventFilter, Receipt } from './event-schemas.ts';
import type { EventFilter } from './event-store.ts';
import type { EventReceipt, Events, RequestOrigin } from './events.ts';
import type { LiveView } from './live.ts';
import { placeOf, placePattern } from './live-feed.ts';
import { acceptLines, readBinary, readParsed } from './receive-events.ts';

const ndjsonType = 'application/x-ndjson';

export interface EventRoutesNeeds {
  readonly events: Events;
  readonly live: LiveView;
  readonly deliveriesOf: DeliveriesOf;
  readonly limiter: Limiter;
  /** How much one source may send; no limit by default, since a refused event is a lost one. */
  readonly intakeLimit: LimitPolicy | undefined;
}

const idOf = Type.Object({ id: Type.String({ minLength: 1, maxLength: 255 }) });

export const eventRoutes =
  ({ events, live, deliveriesOf, limiter, intakeLimit }: EventRoutesNeeds): FastifyPluginAsyncTypebox =>
  async (app) => {
    const holdToLimit = async (request: FastifyRequest, reply: FastifyReply) => {
      if (intakeLimit) limitReply(reply, await limiter.take(intakeLimit, callerOf(request).id));
    };

    app.post(
      '/',
      {
        config: { access: 'events:send', isIdempotent: true, checksBodyItself: true, takesAnyType: ({ headers }) => isBinaryMode(headers) },
        ...(intakeLimit ? { preParsing: holdToLimit } : {}),
        schema: {
          summary: 'Send events',
          description:
            'One event, an array of 1 to 1000 (all or none), a stream of NDJSON, or CloudEvents 1.0 structured, batched or binary (`ce-*` headers). ' +
            'A 2xx says that the events are durable. An event may have 256 KiB, a request 10 MiB (NDJSON: any length). An id that was sent before changes nothing.',
          tags: ['events'],
          consumes: ['application/json', ndjsonType, structuredType, batchType],
          body: {
            content: {
              'application/json': { schema: EventsIn },
              [ndjsonType]: {
                schema: Type.String({
                  description: 'An event on each line.',
                  examples: ['{"id":"1","name":"order.created"}\n{"id":"2","name":"order.paid"}\n'],
                }),
              },
              [structuredType]: { schema: CloudEventIn },
              [batchType]: { schema: Type.Array(CloudEventIn, { minItems: 1, maxItems: maxEventsInArray }) },
            },
          },
          response: { 202: Receipt, ...refusals('bad-event', 'reserved-type', 429) },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request);
        const origin = originOf(request);
        if (isBinaryMode(request.headers)) {
          const [receipt] = await events.accept(
            caller,
            [await readBinary(request.headers, request.rawBody ?? bodyStream(request))],
            origin,
          );
          return reply.code(202).send(receiptOf(receipt));
        }
        if (request.mediaType === ndjsonType)
          return reply.code(202).send(await acceptLines(bodyStream(request), (batch) => events.accept(caller, batch, origin)));
        const list = readParsed(request.mediaType ?? '', request.body, request.rawBody ?? '');
        const receipts = await events.accept(caller, list, origin);
        return reply.code(202).send(Array.isArray(request.body) ? summaryOf(receipts) : receiptOf(receipts[0]));
      },
    );

    app.get(
      '/',
      {
        config: { access: 'events:read' },
        schema: {
          summary: 'List events',
          description: 'What came in and where it stands, newest first. A page of large events has fewer of them than `limit`.',
          tags: ['events'],
          querystring: Type.Object({ ...listQuery, ...eventFilter }),
          response: { 200: pageOf(EventOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => {
        const { limit, cursor, from, to, ...filter } = request.query;
        const wanted: EventFilter = { ...filter, ...timesOf({ from, to }) };
        const { facts, hasMore } = await events.list(callerOf(request), wanted, { limit, ...(cursor === undefined ? {} : { cursor }) });
        const deliveries = await deliveriesOf(
          callerOf(request),
          facts.map(({ position }) => position),
        );
        const items = facts.map((fact) => eventText(fact, deliveries.get(fact.position) ?? []));
        const last = hasMore ? facts.at(-1) : undefined;
        return sendPageText(request, reply, items, last && encodeCursor([last.position]));
      },
    );

    app.get(
      '/live',
      {
        config: { access: 'events:read' },
        schema: {
          summary: 'Watch events flow',
          description:
            'Server-sent events: `event` is what happened (as in the trace), `data` is `{id, source, type, state, at, target?}`. ' +
            '`Last-Event-ID` resumes where a connection broke. A viewer that does not read is dropped.',
          tags: ['events'],
          produces: ['text/event-stream'],
          headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ pattern: placePattern })) }),
          querystring: Type.Object({ type: eventFilter.type, state: eventFilter.state }),
          response: {
            200: Type.String({
              description: 'A stream without end.',
              examples: ['id: 42-41-80\nevent: accepted\ndata: {"id":"order-17"}\n\n'],
            }),
          },
        },
      },
      async (request, reply) => {
        const after = request.headers['last-event-id'];
        const filter = { ...request.query, ...(after === undefined ? {} : { after: placeOf(after) }) };
        await live.show(callerOf(request), filter, () => {
          reply.hijack(); // from here on no refusal can be sent
          for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value);
          return reply.raw;
        });
      },
    );

    app.get(
      '/:id',
      {
        config: { access: 'events:read' },
        schema: {
          summary: 'One event',
          description:
            "Without `source` and `sender` the caller's own event of that id, else the newest. Facts of the server's own are shown to those who manage targets.",
          tags: ['events'],
          params: idOf,
          querystring: Type.Object({ source: eventFilter.source, sender: eventFilter.sender }),
          response: { 200: EventOut, ...refusals(404) },
        },
      },
      async (request, reply) => {
        const fact = await events.find(callerOf(request), request.params.id, request.query);
        const deliveries = await deliveriesOf(callerOf(request), [fact.position]);
        return sendText(reply, eventText(fact, deliveries.get(fact.position) ?? []));
      },
    );
  };

const originOf = (request: FastifyRequest): RequestOrigin => {
  const { traceparent, tracestate } = request.traceContext;
  return { requestId: request.id, traceparent, ...(tracestate === undefined ? {} : { tracestate }) };
};

const receiptOf = (receipt: EventReceipt | undefined) => ({
  id: receipt?.id ?? '',
  status: 'accepted' as const,
  duplicate: receipt?.isDuplicate ?? false,
  receivedAt: toRfc3339(receipt?.receivedAt ?? 0),
});

const summaryOf = (receipts: readonly EventReceipt[]) => {
  const duplicates = receipts.filter(({ isDuplicate }) => isDuplicate).length;
  return { accepted: receipts.length - duplicates, duplicates, items: receipts.map(receiptOf) };
};

/** JSON that is text already: parsing and printing it again would change numbers. */
const sendText = (reply: FastifyReply, text: string) =>
  reply
    .type('application/json; charset=utf-8')
    .serializer((payload: unknown) => String(payload))
    .send(text);

const sendPageText = (request: FastifyRequest, reply: FastifyReply, items: readonly string[], nextCursor: string | undefined) => {
  if (nextCursor === undefined) return sendText(reply, `{"items":[${items.join(',')}]}`);
  const [path = '', search = ''] = request.url.split('?', 2);
  const query = new URLSearchParams(search);
  query.set('cursor', nextCursor);
  reply.header('link', `<${path}?${query}>; rel="next"`);
  return sendText(reply, `{"items":[${items.join(',')}],"nextCursor":${JSON.stringify(nextCursor)}}`);
};
