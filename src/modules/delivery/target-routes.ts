import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../foundation/schema.ts';
import { callerOf } from '../../http/access.ts';
import { listQuery, pageOf, sendPage } from '../../http/paging.ts';
import { refusals } from '../../http/problem-reply.ts';
import type { Delivery } from './delivery.ts';
import { NewTarget, TargetChange, TargetOut } from './target-schemas.ts';
import { hiddenValue } from './targets/target.ts';

const idOf = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });
const tags = ['targets'];
const access = 'targets:manage';
const testLimitMs = 60_000;

const TestOut = Type.Object(
  {
    outcome: Type.String({ description: '`delivered`, `refused`, `failed`, `throttled`, `gone`, or `parked` where the transform failed.' }),
    status: Type.Optional(Type.Integer()),
    durationMs: Type.Integer(),
    body: Type.Optional(Type.String({ description: 'The beginning of the answer.' })),
    reason: Type.Optional(Type.String()),
  },
  { examples: [{ outcome: 'delivered', status: 200, durationMs: 31, body: '{"data":{"processEvent":{"id":"1"}}}' }] },
);

/** Only a webhook whose secret was made here shows one. */
const showsMadeSecret = (answer: string): boolean => {
  const { config } = JSON.parse(answer) as { config: Readonly<Record<string, unknown>> }; // our own answer
  return typeof config.secret === 'string' && config.secret !== hiddenValue;
};

export const targetRoutes =
  ({ targets }: Pick<Delivery, 'targets'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/',
      {
        config: { access, isIdempotent: true, showsSecret: showsMadeSecret },
        schema: {
          summary: 'Make a target',
          description: "It gets what arrives from now on. A webhook's secret is made where none is given, and shown in this answer only.",
          tags,
          body: NewTarget,
          response: { 201: TargetOut, ...refusals('address-not-allowed', 409) },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request);
        const made = await targets.create({ tenantId: caller.tenantId, who: caller.id, isFromSettings: false }, request.body);
        return reply.code(201).header('location', `/v1/targets/${made.id}`).send(made);
      },
    );

    app.get(
      '/',
      {
        config: { access },
        schema: {
          summary: 'List targets',
          tags,
          querystring: Type.Object(listQuery),
          response: { 200: pageOf(TargetOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => sendPage(request, reply, await targets.list(callerOf(request), request.query)),
    );

    app.get(
      '/:id',
      { config: { access }, schema: { summary: 'One target', tags, params: idOf, response: { 200: TargetOut, ...refusals(404) } } },
      async (request, reply) => reply.send(await targets.get(callerOf(request), request.params.id)),
    );

    app.patch(
      '/:id',
      {
        config: { access },
        schema: {
          summary: 'Change a target',
          tags,
          params: idOf,
          body: TargetChange,
          response: { 200: TargetOut, ...refusals('address-not-allowed', 404, 409) },
        },
      },
      async (request, reply) => reply.send(await targets.update(callerOf(request), request.params.id, request.body)),
    );

    app.delete(
      '/:id',
      {
        config: { access },
        schema: {
          summary: 'Delete a target',
          description: 'What still waits for it is parked.',
          tags,
          params: idOf,
          response: { 204: Type.Null({ description: 'It is gone.' }), ...refusals(404) },
        },
      },
      async (request, reply) => {
        await targets.remove(callerOf(request), request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/:id/pause',
      {
        config: { access },
        schema: {
          summary: 'Pause a target',
          description: 'Its deliveries stay waiting.',
          tags,
          params: idOf,
          response: { 200: TargetOut, ...refusals(404) },
        },
      },
      async (request, reply) => reply.send(await targets.pause(callerOf(request), request.params.id)),
    );

    app.post(
      '/:id/resume',
      { config: { access }, schema: { summary: 'Resume a target', tags, params: idOf, response: { 200: TargetOut, ...refusals(404) } } },
      async (request, reply) => reply.send(await targets.resume(callerOf(request), request.params.id)),
    );

    app.post(
      '/:id/test',
      {
        config: { access },
        schema: {
          summary: 'Send a sample to a target',
          description: 'At once, past its queue. A target that fails is a 200, too: `outcome` tells.',
          tags,
          params: idOf,
          response: { 200: TestOut, ...refusals(404) },
        },
      },
      async (request, reply) => reply.send(await targets.test(callerOf(request), request.params.id, AbortSignal.timeout(testLimitMs))),
    );
  };
