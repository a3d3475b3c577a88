import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../foundation/schema.ts';
import { callerOf } from '../../http/access.ts';
import { listQuery, pageOf, sendPage } from '../../http/paging.ts';
import { refusals } from '../../http/problem-reply.ts';
import { moment, timesOf } from '../../http/time-range.ts';
import type { Delivery } from './delivery.ts';

const states = ['waiting', 'delivering', 'delivered', 'retrying', 'dead', 'parked'] as const;

const State = Type.Unsafe<(typeof states)[number]>({
  type: 'string',
  enum: [...states],
  description: '`parked`: needs a hand, e.g. because its transform failed or its target was deleted.',
});
const text = Type.String({ minLength: 1, maxLength: 255 });

const DeliveryOut = Type.Object(
  {
    id: Type.String(),
    eventId: Type.String(),
    type: Type.String(),
    target: Type.String({ description: "The target's id." }),
    state: State,
    nextAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it is tried again.' })),
    reason: Type.Optional(Type.String()),
    attempts: Type.Array(
      Type.Object({
        at: Type.String({ format: 'date-time' }),
        outcome: Type.String(),
        status: Type.Optional(Type.Integer()),
        reason: Type.Optional(Type.String()),
        durationMs: Type.Integer(),
      }),
    ),
  },
  {
    examples: [
      {
        id: 'dlv_01k8t3w0e5f6g7h8j9kamn0pqr',
        eventId: 'order-17',
        type: 'order.created',
        target: 'tgt_01k8t3w0e5f6g7h8j9kamn0pqr',
        state: 'delivered',
        attempts: [{ at: '2026-11-02T09:00:00.120Z', outcome: 'delivered', status: 200, durationMs: 31 }],
      },
    ],
  },
);

const Count = Type.Object({ count: Type.Integer({ description: 'How many deliveries wait again.' }) }, { examples: [{ count: 3 }] });

const filterFields = {
  state: Type.Optional(State),
  target: Type.Optional(text),
  type: Type.Optional(text),
  from: moment('Made at this time or later.'),
  to: moment('Made before this time.'),
};

export const deliveryRoutes =
  ({ delivery }: { delivery: Delivery }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/',
      {
        config: { access: 'events:read' },
        schema: {
          summary: 'List deliveries',
          tags: ['deliveries'],
          querystring: Type.Object({ ...listQuery, ...filterFields, event: Type.Optional(text) }),
          response: { 200: pageOf(DeliveryOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => {
        const { limit, cursor, from, to, ...filter } = request.query;
        const times = timesOf({ from, to });
        const page = await delivery.list(
          callerOf(request),
          { ...filter, ...times },
          { limit, ...(cursor === undefined ? {} : { cursor }) },
        );
        return sendPage(request, reply, page);
      },
    );

    app.get(
      '/:id',
      {
        config: { access: 'events:read' },
        schema: {
          summary: 'One delivery',
          tags: ['deliveries'],
          params: Type.Object({ id: text }),
          response: { 200: DeliveryOut, ...refusals(404) },
        },
      },
      async (request, reply) => reply.send(await delivery.get(callerOf(request), request.params.id)),
    );

    app.post(
      '/:id/replay',
      {
        config: { access: 'deliveries:replay', isIdempotent: true },
        schema: {
          summary: 'Deliver again',
          description: 'One that is finished (dead, parked or delivered): it waits again, with all its attempts, behind live traffic.',
          tags: ['deliveries'],
          params: Type.Object({ id: text }),
          response: { 202: Count, ...refusals(404, 409) },
        },
      },
      async (request, reply) => reply.code(202).send(await delivery.replayOne(callerOf(request), request.params.id)),
    );

    app.post(
      '/replay',
      {
        config: { access: 'deliveries:replay', isIdempotent: true },
        schema: {
          summary: 'Deliver many again',
          description: 'All that fit the filter; without a state, those that are dead or parked.',
          tags: ['deliveries'],
          body: Type.Object(
            { filter: Type.Optional(Type.Object(filterFields, { additionalProperties: false })) },
            { additionalProperties: false, examples: [{ filter: { state: 'dead', type: 'order.created' } }] },
          ),
          response: { 202: Count },
        },
      },
      async (request, reply) => {
        const { from, to, ...filter } = request.body.filter ?? {};
        const times = timesOf({ from, to });
        return reply.code(202).send(await delivery.replayMany(callerOf(request), { ...filter, ...times }));
      },
    );
  };
