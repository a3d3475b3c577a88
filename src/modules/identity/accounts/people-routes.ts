import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../../foundation/schema.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { limitReply } from '../../../http/rate-limit.ts';
import { originOf } from '../sessions/session-routes.ts';
import type { PasswordActs } from './password-acts.ts';
import { DisplayNameIn, EmailIn, exampleOfPerson, MailTokenIn, PasswordIn, UsernameIn } from './person-schemas.ts';
import type { SignUp } from './sign-up.ts';

const { id, username, password, email, mailToken: token } = exampleOfPerson;

const SignUpIn = Type.Object(
  {
    username: UsernameIn,
    password: PasswordIn,
    email: Type.Optional(EmailIn),
    displayName: Type.Optional(DisplayNameIn),
    tenant: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Its slug; `default` when it is absent.' })),
  },
  { additionalProperties: false, examples: [{ username, password, email, displayName: 'Ada Lovelace' }] },
);

const SignedUpOut = Type.Object(
  {
    id: Type.String(),
    username: Type.String(),
    email: Type.Optional(Type.String()),
    state: Type.Unsafe<'active' | 'unconfirmed'>({
      type: 'string',
      enum: ['active', 'unconfirmed'],
      description: '`unconfirmed` where the tenant asks for it: until the mail is confirmed signing in is refused.',
    }),
  },
  { examples: [{ id, username, email, state: 'active' }] },
);

/** Without a session: signing up, and getting in again. */
export const peopleRoutes =
  ({ signUp, passwordActs }: { signUp: SignUp; passwordActs: PasswordActs }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/people',
      {
        config: { access: 'public', isIdempotent: true },
        schema: {
          summary: 'Sign up',
          description:
            'Makes a `member` of the tenant. A name that somebody has or had is 409, so names can be found out here; how fast, `ENTREPOT_SIGN_UP_LIMIT` tells.',
          body: SignUpIn,
          response: { 201: SignedUpOut, ...refusals('sign-up-closed', 'tenant-suspended', 'conflict', 'too-many') },
        },
      },
      async (request, reply) => {
        const made = await signUp.signUp(request.body, originOf(request), (decision) => limitReply(reply, decision));
        return reply.code(201).send(made);
      },
    );

    app.post(
      '/people/confirm',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Confirm an e-mail address',
          description: 'By the token of the mail, which works once within 24 hours; the newest mail counts.',
          body: Type.Object({ token: MailTokenIn }, { additionalProperties: false, examples: [{ token }] }),
          response: { 204: Type.Null(), ...refusals('bad-mail-token') },
        },
      },
      async (request, reply) => {
        await signUp.confirm(request.body.token, originOf(request));
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/password-resets',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Ask for a new password',
          description:
            'Mails a token to the address of the account, three times an hour at most. The answer is the same whether there is such an account or not.',
          body: Type.Object(
            { username: Type.String({ minLength: 1, maxLength: 256 }) },
            { additionalProperties: false, examples: [{ username }] },
          ),
          response: {
            202: Type.Unsafe<undefined>({
              type: 'null',
              description: 'If there is such an account with an address, a mail is on its way.',
            }),
            ...refusals('too-many'),
          },
        },
      },
      async (request, reply) => {
        await passwordActs.forget(request.body.username, originOf(request), (decision) => limitReply(reply, decision));
        return reply.code(202).send(undefined);
      },
    );

    app.post(
      '/password-resets/complete',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Set the new password',
          description:
            'By the token of the mail, which works once within an hour; the newest mail counts. Ends all sessions, and confirms an address that was not confirmed yet.',
          body: Type.Object({ token: MailTokenIn, password: PasswordIn }, { additionalProperties: false, examples: [{ token, password }] }),
          response: { 204: Type.Null(), ...refusals('bad-mail-token') },
        },
      },
      async (request, reply) => {
        await passwordActs.reset(request.body.token, request.body.password, originOf(request));
        return reply.code(204).send(null);
      },
    );
  };
