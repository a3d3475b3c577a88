import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Scope } from '../../foundation/caller.ts';
import { Type } from '../../foundation/schema.ts';
import { callerOf } from '../../http/access.ts';
import { listQuery, pageOf, sendPage } from '../../http/paging.ts';
import { refusals } from '../../http/problem-reply.ts';
import { allScopes } from './permissions.ts';
import type { Services } from './service-acts.ts';
import { originOf } from './sessions/session-routes.ts';

const ScopesIn = Type.Array(Type.Unsafe<Scope>({ type: 'string', enum: allScopes }), {
  uniqueItems: true,
  maxItems: 64,
  description: 'What it may do; never more than you may yourself.',
});
const NameIn = Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });
const IdIn = Type.String({ maxLength: 64 });

const serviceId = 'svc_01k8t3w0e5f6g7h8j9kamn0pqr';
const authId = 'auth_01k8t3w0e5f6g7h8j9kamn0pqs';
const secretId = 'sec_01k8t3w0e5f6g7h8j9kamn0pqt';
const secret = 'nkPmPBDC0xfWKpFkjmuzJbbY3GdXYjr9hkyCVmZ7xQk';

const ServiceOut = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    authId: Type.String({ description: 'With one of its secrets it signs in.' }),
    scopes: Type.Array(Type.String()),
    secrets: Type.Array(
      Type.Object({
        id: Type.String(),
        createdAt: Type.String({ format: 'date-time' }),
        lastUsedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
          description: 'When it last signed in; null for never.',
        }),
      }),
    ),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
  },
  {
    examples: [
      {
        id: serviceId,
        name: 'shop',
        authId,
        scopes: ['events:send'],
        secrets: [{ id: secretId, createdAt: '2026-11-02T09:00:00.000Z', lastUsedAt: '2026-11-02T09:01:00.000Z' }],
        createdAt: '2026-11-02T09:00:00.000Z',
        updatedAt: '2026-11-02T09:00:00.000Z',
      },
    ],
  },
);

const ServiceMadeOut = Type.Object(
  {
    id: Type.String(),
    authId: Type.String(),
    secretId: Type.String(),
    secret: Type.String({ description: 'Shown here and never again.' }),
  },
  { examples: [{ id: serviceId, authId, secretId, secret }] },
);

const SecretMadeOut = Type.Object(
  { id: Type.String(), secret: Type.String({ description: 'Shown here and never again.' }) },
  { examples: [{ id: secretId, secret }] },
);

export const serviceRoutes =
  ({ services }: { services: Services }): FastifyPluginAsyncTypebox =>
  async (app) => {
    const access = 'services:manage' as const;

    app.post(
      '/',
      {
        config: { access, isIdempotent: true, showsSecret: true },
        schema: {
          summary: 'Make a service',
          body: Type.Object(
            { name: NameIn, scopes: ScopesIn },
            { additionalProperties: false, examples: [{ name: 'shop', scopes: ['events:send'] }] },
          ),
          response: { 201: ServiceMadeOut },
        },
      },
      async (request, reply) => reply.code(201).send(await services.create(callerOf(request), request.body, originOf(request))),
    );

    app.get(
      '/',
      {
        config: { access },
        schema: {
          summary: 'List the services of the tenant',
          querystring: Type.Object(listQuery),
          response: { 200: pageOf(ServiceOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => sendPage(request, reply, await services.list(callerOf(request), request.query)),
    );

    app.get(
      '/:id',
      {
        config: { access },
        schema: {
          summary: 'See a service',
          params: Type.Object({ id: IdIn }),
          response: { 200: ServiceOut, ...refusals('not-found') },
        },
      },
      async (request, reply) => reply.send(await services.get(callerOf(request), request.params.id)),
    );

    app.patch(
      '/:id',
      {
        config: { access },
        schema: {
          summary: 'Change a service',
          description: 'Changed scopes count at once, also for sessions that are open.',
          params: Type.Object({ id: IdIn }),
          body: Type.Object(
            { name: Type.Optional(NameIn), scopes: Type.Optional(ScopesIn) },
            { additionalProperties: false, examples: [{ scopes: ['events:send', 'trace:read'] }] },
          ),
          response: { 200: ServiceOut, ...refusals('not-found') },
        },
      },
      async (request, reply) => reply.send(await services.change(callerOf(request), request.params.id, request.body, originOf(request))),
    );

    app.delete(
      '/:id',
      {
        config: { access },
        schema: {
          summary: 'Remove a service',
          description: 'Ends all its sessions.',
          params: Type.Object({ id: IdIn }),
          response: { 204: Type.Null(), ...refusals('not-found') },
        },
      },
      async (request, reply) => {
        await services.remove(callerOf(request), request.params.id, originOf(request));
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/:id/secrets',
      {
        config: { access, isIdempotent: true, showsSecret: true },
        schema: {
          summary: 'Add a secret',
          description: 'Two are valid at a time, so that one is replaced without a break; a third is 409.',
          params: Type.Object({ id: IdIn }),
          response: { 201: SecretMadeOut, ...refusals('not-found', 'conflict') },
        },
      },
      async (request, reply) => reply.code(201).send(await services.addSecret(callerOf(request), request.params.id, originOf(request))),
    );

    app.delete(
      '/:id/secrets/:secretId',
      {
        config: { access },
        schema: {
          summary: 'Remove a secret',
          description: 'Ends the sessions that were opened with it.',
          params: Type.Object({ id: IdIn, secretId: IdIn }),
          response: { 204: Type.Null(), ...refusals('not-found') },
        },
      },
      async (request, reply) => {
        await services.removeSecret(callerOf(request), request.params.id, request.params.secretId, originOf(request));
        return reply.code(204).send(null);
      },
    );
  };
