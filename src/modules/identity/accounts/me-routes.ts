import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Caller } from '../../../foundation/caller.ts';
import { Type } from '../../../foundation/schema.ts';
import { callerOf } from '../../../http/access.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { limitReply } from '../../../http/rate-limit.ts';
import { originOf } from '../sessions/session-routes.ts';
import type { DeleteAccount } from './account-deletion.ts';
import type { Me } from './me.ts';
import type { PasswordActs } from './password-acts.ts';
import { DisplayNameIn, EmailIn, exampleOfPerson, PasswordIn, PresentedPasswordIn } from './person-schemas.ts';
import type { ChangeProfile } from './profile.ts';
import type { ProvePassword } from './prove-password.ts';

const MeOut = Type.Object(
  {
    id: Type.String(),
    kind: Type.String({ description: '`person`, `device` or `service`.' }),
    username: Type.Optional(Type.String()),
    email: Type.Optional(Type.String()),
    displayName: Type.Optional(Type.String({ description: 'Of a service its name.' })),
    tenantId: Type.String(),
    role: Type.Optional(Type.String({ description: 'What a person may do: `viewer`, `member`, `admin` or `operator`.' })),
    roles: Type.Optional(Type.Array(Type.String(), { description: 'The audiences that a person belongs to.' })),
    scopes: Type.Array(Type.String()),
  },
  {
    examples: [
      {
        id: 'per_01k8t3w0e5f6g7h8j9kamn0pqr',
        kind: 'person',
        username: 'ada',
        tenantId: 'ten_00000000000000000000000000',
        role: 'viewer',
        roles: [],
        scopes: ['files:read', 'events:read', 'records:read', 'trace:read'],
      },
    ],
  },
);

const { password } = exampleOfPerson;

/** What a caller sees of itself, and what a person changes about itself. */
export const meRoutes =
  ({
    me,
    changeProfile,
    passwordActs,
    provePassword,
    deleteAccount,
  }: {
    me: (caller: Caller) => Promise<Me>;
    changeProfile: ChangeProfile;
    passwordActs: PasswordActs;
    provePassword: ProvePassword;
    deleteAccount: DeleteAccount;
  }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/',
      {
        config: { access: 'signed-in' },
        schema: { summary: 'Who you are and what you may do', response: { 200: MeOut } },
      },
      async (request) => await me(callerOf(request)),
    );

    app.patch(
      '/',
      {
        config: { access: 'person' },
        schema: {
          summary: 'Change your name or e-mail address',
          description:
            'null removes. Where the tenant asks for confirmation, a new address counts once the mail that is sent there is confirmed; until then the one before stays.',
          body: Type.Object(
            {
              displayName: Type.Optional(Type.Union([DisplayNameIn, Type.Null()])),
              email: Type.Optional(Type.Union([EmailIn, Type.Null()])),
            },
            { additionalProperties: false, examples: [{ displayName: 'Ada Lovelace', email: null }] },
          ),
          response: { 200: MeOut, ...refusals('too-many') },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request);
        await changeProfile(caller, request.body, originOf(request), (decision) => limitReply(reply, decision));
        return reply.send(await me(caller));
      },
    );

    app.delete(
      '/',
      {
        config: { access: 'person' },
        schema: {
          summary: 'Delete your account with all it owns',
          description:
            'Its sessions end at once, and what it owns is removed. The trace keeps ids only; the user name stays taken. The last operator cannot go. After 10 wrong passwords within 15 minutes it is 429.',
          body: Type.Object({ password: PresentedPasswordIn }, { additionalProperties: false, examples: [{ password }] }),
          response: { 204: Type.Null(), ...refusals('wrong-password', 'conflict', 'too-many') },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request);
        const origin = originOf(request);
        const person = await provePassword(caller, request.body.password, origin, (decision) => limitReply(reply, decision));
        await deleteAccount(person, caller.id, origin);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/password',
      {
        config: { access: 'person' },
        schema: {
          summary: 'Change your password',
          description:
            'Ends all your other sessions, and those of your devices. After 10 wrong passwords within 15 minutes it is 429, while your sessions go on.',
          body: Type.Object(
            { current: PresentedPasswordIn, next: PasswordIn },
            { additionalProperties: false, examples: [{ current: password, next: 'purple elephants never forget' }] },
          ),
          response: { 204: Type.Null(), ...refusals('wrong-password', 'too-many') },
        },
      },
      async (request, reply) => {
        await passwordActs.change(callerOf(request), request.body, originOf(request), (decision) => limitReply(reply, decision));
        return reply.code(204).send(null);
      },
    );
  };
