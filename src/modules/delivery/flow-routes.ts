import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../foundation/schema.ts';
import { callerOf } from '../../http/access.ts';
import type { Delivery } from './delivery.ts';
import { RateSchema } from './target-schemas.ts';

const Stage = Type.Object({ count: Type.Integer(), perSecond: Type.Number() });

const FlowOut = Type.Object({
  at: Type.String({ format: 'date-time' }),
  stages: Type.Object({ accepted: Stage, routed: Stage, delivered: Stage, dead: Stage }),
  targets: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      state: Type.String(),
      waiting: Type.Integer({ description: 'With those that are under way just now.' }),
      retrying: Type.Integer(),
      dead: Type.Integer(),
      parked: Type.Integer(),
      delivered: Type.Integer(),
      perSecond: Type.Number({ description: 'Delivered, over the last ten seconds.' }),
      rate: Type.Optional(RateSchema),
      oldestWaitingMs: Type.Optional(Type.Integer({ description: 'How long the delivery that is next has been waiting.' })),
      expectedEnd: Type.Optional(Type.String({ format: 'date-time', description: 'When the backlog will be gone at the present pace.' })),
    }),
  ),
});

export const flowRoutes =
  ({ delivery }: { delivery: Delivery }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/flow',
      {
        config: { access: 'events:read' },
        schema: {
          summary: 'What flows and what is stuck',
          description: 'Counts, rates and backlog of the tenant, by stage and by target.',
          tags: ['flow'],
          response: { 200: FlowOut },
        },
      },
      async (request, reply) => reply.send(await delivery.flow(callerOf(request))),
    );
  };
