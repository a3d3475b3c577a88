import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../../foundation/schema.ts';
import { callerOf } from '../../../http/access.ts';
import { listQuery, pageOf, sendPage } from '../../../http/paging.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { AudiencesIn, DisplayNameIn, EmailIn, PasswordIn, RoleIn, UsernameIn } from '../accounts/person-schemas.ts';
import { originOf } from '../sessions/session-routes.ts';
import type { TenantPeople } from './tenant-people-acts.ts';

const idOf = Type.Object({ id: Type.String({ maxLength: 64 }) });
const access = 'people:manage';
const tags = ['people'];

const PersonOut = Type.Object(
  {
    id: Type.String(),
    username: Type.String(),
    email: Type.Optional(Type.String()),
    displayName: Type.Optional(Type.String()),
    role: Type.String({ description: '`viewer`, `member`, `admin` or `operator`.' }),
    roles: Type.Array(Type.String()),
    state: Type.String({ description: '`active`, or `unconfirmed` until the e-mail address is confirmed.' }),
    createdAt: Type.String({ format: 'date-time' }),
  },
  {
    examples: [
      {
        id: 'per_01k8t3w0e5f6g7h8j9kamn0pqr',
        username: 'grace',
        email: 'grace@example.com',
        displayName: 'Grace',
        role: 'member',
        roles: ['Mentor/Coach'],
        state: 'active',
        createdAt: '2026-11-02T09:00:00.000Z',
      },
    ],
  },
);

const PersonIn = Type.Object(
  {
    username: UsernameIn,
    password: PasswordIn,
    email: Type.Optional(EmailIn),
    displayName: Type.Optional(DisplayNameIn),
    role: RoleIn,
    roles: Type.Optional(AudiencesIn),
  },
  {
    additionalProperties: false,
    examples: [{ username: 'grace', password: 'correct horse battery staple', role: 'member', roles: ['Mentor/Coach'] }],
  },
);

const PersonChangeIn = Type.Object(
  {
    password: Type.Optional(PasswordIn),
    email: Type.Optional(Type.Union([EmailIn, Type.Null()])),
    displayName: Type.Optional(Type.Union([DisplayNameIn, Type.Null()])),
    role: Type.Optional(RoleIn),
    roles: Type.Optional(Type.Union([AudiencesIn, Type.Null()])),
  },
  {
    additionalProperties: false,
    description: 'JSON Merge Patch: null takes away. A user name stays what it is.',
    examples: [{ role: 'viewer' }],
  },
);

/** The people of one's own tenant, for those who look after it. */
export const tenantPeopleRoutes =
  ({ tenantPeople }: { tenantPeople: TenantPeople }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/',
      {
        config: { access, isIdempotent: true },
        schema: {
          summary: 'Make a person',
          description: 'In your own tenant. It signs in with the user name and password at once.',
          tags,
          body: PersonIn,
          response: { 201: PersonOut, ...refusals('conflict') },
        },
      },
      async (request, reply) => {
        const made = await tenantPeople.create(callerOf(request), request.body, originOf(request));
        return reply.code(201).header('location', `/v1/tenant/people/${made.id}`).send(made);
      },
    );

    app.get(
      '/',
      {
        config: { access },
        schema: {
          summary: 'List the people of your tenant',
          tags,
          querystring: Type.Object(listQuery),
          response: { 200: pageOf(PersonOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => sendPage(request, reply, await tenantPeople.list(callerOf(request), request.query)),
    );

    app.get(
      '/:id',
      {
        config: { access },
        schema: { summary: 'See a person', tags, params: idOf, response: { 200: PersonOut, ...refusals('not-found') } },
      },
      async (request, reply) => reply.send(await tenantPeople.get(callerOf(request), request.params.id)),
    );

    app.patch(
      '/:id',
      {
        config: { access },
        schema: {
          summary: 'Change a person',
          description:
            'A changed role counts at once, also for sessions that are open. A changed password ends the sessions of the person and its devices. ' +
            'Who may do more than you is not changed by you; the last operator stays one.',
          tags,
          params: idOf,
          body: PersonChangeIn,
          response: { 200: PersonOut, ...refusals('not-found', 'conflict') },
        },
      },
      async (request, reply) =>
        reply.send(await tenantPeople.change(callerOf(request), request.params.id, request.body, originOf(request))),
    );

    app.delete(
      '/:id',
      {
        config: { access },
        schema: {
          summary: 'Remove a person',
          description: 'With all that it owns. Its sessions and those of its devices end; its user name stays taken.',
          tags,
          params: idOf,
          response: { 204: Type.Null(), ...refusals('not-found', 'conflict') },
        },
      },
      async (request, reply) => {
        await tenantPeople.remove(callerOf(request), request.params.id, originOf(request));
        return reply.code(204).send(null);
      },
    );
  };
