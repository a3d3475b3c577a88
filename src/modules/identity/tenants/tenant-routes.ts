import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { TenantRow } from '../../../database/tables.ts';
import { Type } from '../../../foundation/schema.ts';
import { callerOf } from '../../../http/access.ts';
import { listQuery, pageOf, sendPage } from '../../../http/paging.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { EmailIn, PasswordIn, printable, UsernameIn } from '../accounts/person-schemas.ts';
import { originOf } from '../sessions/session-routes.ts';
import { slugLength, type Tenants } from './tenant-acts.ts';

const idOf = Type.Object({ id: Type.String({ maxLength: 64 }) });
const access = 'tenants:manage';

const NameIn = Type.String({ minLength: 1, maxLength: 128, pattern: printable });
const SlugIn = Type.String({
  minLength: slugLength.min,
  maxLength: slugLength.max,
  pattern: '^[a-z0-9]+(-[a-z0-9]+)*$',
  description: 'Names the tenant where people sign up. Unique.',
});
const StateIn = Type.Unsafe<TenantRow['state']>({
  type: 'string',
  enum: ['active', 'suspended'],
  description: 'A suspended tenant is refused at once; its sessions go on when it is active again.',
});
const SignUpIn = Type.Unsafe<TenantRow['signUp']>({
  type: 'string',
  enum: ['open', 'closed'],
  description: 'Whether people make accounts themselves.',
});
const quotaOf = (whose: string) => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: `Bytes that ${whose}.` });
const confirmEmail = Type.Boolean({ description: 'Whether people confirm their e-mail address before they sign in.' });
const quotaPerson = quotaOf('the files of one person may have');
const quotaTenant = quotaOf('the files of all together may have');

const seen = {
  id: Type.String(),
  name: Type.String(),
  slug: Type.String(),
  state: StateIn,
  confirmEmail,
  signUp: SignUpIn,
  quotaPerson: Type.Optional(quotaPerson),
  quotaTenant: Type.Optional(quotaTenant),
  createdAt: Type.String({ format: 'date-time' }),
};

const example = {
  id: 'ten_01k8t3w0e5f6g7h8j9kamn0pqr',
  name: 'Acme',
  slug: 'acme',
  state: 'active' as const,
  confirmEmail: false,
  signUp: 'open' as const,
  createdAt: '2026-11-02T09:00:00.000Z',
};

const TenantOut = Type.Object(seen, { examples: [{ ...example, quotaPerson: 10_737_418_240 }] });

const TenantMadeOut = Type.Object(
  { ...seen, admin: Type.Optional(Type.Object({ id: Type.String() })) },
  { examples: [{ ...example, admin: { id: 'per_01k8t3w0e5f6g7h8j9kamn0pqs' } }] },
);

const TenantIn = Type.Object(
  {
    name: NameIn,
    slug: Type.Optional(SlugIn),
    admin: Type.Optional(
      Type.Object(
        { username: UsernameIn, password: PasswordIn, email: Type.Optional(EmailIn) },
        { additionalProperties: false, description: 'The first admin, made together with the tenant.' },
      ),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ name: 'Acme', slug: 'acme', admin: { username: 'wile', password: 'correct horse battery staple' } }],
  },
);

const TenantChangeIn = Type.Object(
  {
    name: Type.Optional(NameIn),
    slug: Type.Optional(SlugIn),
    state: Type.Optional(StateIn),
    confirmEmail: Type.Optional(confirmEmail),
    signUp: Type.Optional(SignUpIn),
    quotaPerson: Type.Optional(Type.Union([quotaPerson, Type.Null()])),
    quotaTenant: Type.Optional(Type.Union([quotaTenant, Type.Null()])),
  },
  {
    additionalProperties: false,
    description: 'JSON Merge Patch: a quota that is null is that of the settings again.',
    examples: [{ signUp: 'closed', quotaPerson: 10_737_418_240 }],
  },
);

/** The tenants of the instance, for its operator. */
export const tenantRoutes =
  ({ tenants }: { tenants: Tenants }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/',
      {
        config: { access, isIdempotent: true },
        schema: {
          summary: 'Make a tenant',
          description: 'With its first admin, where one is given: both are made, or neither. Without a slug one is made from the name.',
          body: TenantIn,
          response: { 201: TenantMadeOut, ...refusals('conflict') },
        },
      },
      async (request, reply) => {
        const made = await tenants.create(callerOf(request), request.body, originOf(request));
        return reply.code(201).header('location', `/v1/tenants/${made.id}`).send(made);
      },
    );

    app.get(
      '/',
      {
        config: { access },
        schema: {
          summary: 'List the tenants',
          querystring: Type.Object(listQuery),
          response: { 200: pageOf(TenantOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => sendPage(request, reply, await tenants.list(request.query)),
    );

    app.get(
      '/:id',
      {
        config: { access },
        schema: { summary: 'See a tenant', params: idOf, response: { 200: TenantOut, ...refusals('not-found') } },
      },
      async (request, reply) => reply.send(await tenants.get(request.params.id)),
    );

    app.patch(
      '/:id',
      {
        config: { access },
        schema: {
          summary: 'Change a tenant',
          description:
            'Suspending refuses all sessions of the tenant at once, and signing in; none is ended, so they go on when it is active again. ' +
            'The tenant `default` keeps its slug and is never suspended.',
          params: idOf,
          body: TenantChangeIn,
          response: { 200: TenantOut, ...refusals('not-found', 'conflict') },
        },
      },
      async (request, reply) => reply.send(await tenants.change(callerOf(request), request.params.id, request.body, originOf(request))),
    );
  };
