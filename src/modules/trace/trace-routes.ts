import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../foundation/schema.ts';
import { callerOf } from '../../http/access.ts';
import { refusals } from '../../http/problem-reply.ts';
import { type Trace, traceWords } from './trace.ts';

const TraceOut = Type.Object(
  {
    id: Type.String(),
    kind: Type.String(),
    state: Type.String({ description: 'Where the item stands now, as its last entries tell.' }),
    entries: Type.Array(
      Type.Object({
        at: Type.String({ format: 'date-time' }),
        what: Type.String({
          description: Object.entries(traceWords)
            .map(([word, meaning]) => `\`${word}\`: ${meaning}`)
            .join('; '),
        }),
        who: Type.Optional(Type.String()),
        where: Type.Optional(Type.String()),
        detail: Type.Optional(Type.Unknown()),
      }),
    ),
  },
  {
    examples: [
      {
        id: 'order-17',
        kind: 'event',
        state: 'delivered',
        entries: [
          { at: '2026-11-02T09:00:00.000Z', what: 'accepted', who: 'svc_01k8t3w0e5f6g7h8j9kamn0pqr' },
          { at: '2026-11-02T09:00:00.004Z', what: 'routed', detail: { targets: 1 } },
          {
            at: '2026-11-02T09:00:00.120Z',
            what: 'attempted',
            where: 'crm',
            detail: { outcome: 'delivered', status: 200, durationMs: 31 },
          },
          { at: '2026-11-02T09:00:00.120Z', what: 'delivered', where: 'crm' },
        ],
      },
    ],
  },
);

export const traceRoutes =
  ({ trace }: { trace: Trace }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/:id',
      {
        config: { access: 'trace:read' },
        schema: {
          summary: 'Everything that happened to an item',
          description:
            'For the id of an event, delivery, file, folder, share, target, person, device, service, tenant or request, in order. It stays when the item itself ' +
            'is gone. What happened to people, devices, services and tenants is seen by themselves and by those who look after the tenant, what happened to ' +
            'files, folders and shares by their owner and by administrators; a locked folder hides it from both.',
          tags: ['trace'],
          params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 255 }) }),
          headers: Type.Object({
            'x-folder-token': Type.Optional(
              Type.String({ maxLength: 8_192, description: '`folderToken` of an unlocked folder; several separated by commas.' }),
            ),
          }),
          response: { 200: TraceOut, ...refusals(400, 401, 403, 404, 'locked') },
        },
      },
      async (request, reply) => reply.send(await trace.get(callerOf(request), request.params.id, request.headers['x-folder-token'])),
    );
  };
