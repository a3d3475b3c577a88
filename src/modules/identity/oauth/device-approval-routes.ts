import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { callerOf } from '../../../http/access.ts';
import { formMediaType, readForm } from '../../../http/form-body.ts';
import { problemHeaders, refusals } from '../../../http/problem-reply.ts';
import { limitReply } from '../../../http/rate-limit.ts';
import { sendHtml } from '../../../http/security-headers.ts';
import type { LimitDecision } from '../../../limits/limiter.ts';
import { formPagePolicy } from '../accounts/form-page.ts';
import { passwordLength } from '../accounts/passwords.ts';
import { originOf } from '../sessions/session-routes.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { DeviceAuthorizations } from './device-authorizations.ts';
import { type DevicePage, devicePage } from './device-page.ts';

const ApprovalIn = Type.Object(
  {
    userCode: Type.String({ minLength: 1, maxLength: 64, description: 'As the device shows it; case and dashes do not matter.' }),
    deny: Type.Optional(Type.Boolean({ description: 'Keep the device out instead.' })),
  },
  { additionalProperties: false, examples: [{ userCode: 'WDJB-MJHT' }] },
);

const Page = Type.String({ description: 'A page for people.', examples: ['<!doctype html>'] });

/** How a person approves a device (RFC 8628 §3.3), to be registered without a prefix. */
export const deviceApprovalRoutes =
  ({
    deviceAuthorizations,
    sessions,
  }: {
    deviceAuthorizations: DeviceAuthorizations;
    sessions: Pick<Sessions, 'prove'>;
  }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/v1/devices/authorizations',
      {
        config: { access: 'person' },
        schema: {
          summary: 'Let a device act for you',
          description: 'With the code that it shows (RFC 8628). After 10 wrong codes within 15 minutes it is 429.',
          body: ApprovalIn,
          response: { 204: Type.Null(), ...refusals('not-found', 'too-many') },
        },
      },
      async (request, reply) => {
        const { userCode, deny = false } = request.body;
        const decision = deny ? 'denied' : 'approved';
        const tell = (limit: LimitDecision) => limitReply(reply, limit);
        await deviceAuthorizations.decide(callerOf(request), { userCode, decision }, originOf(request), tell);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/device',
      {
        config: { access: 'public' },
        schema: {
          summary: 'The page on which a person lets a device in',
          tags: ['devices'],
          produces: ['text/html'],
          querystring: Type.Object({ user_code: Type.Optional(Type.String({ maxLength: 64 })) }),
          response: { 200: Page },
        },
      },
      async (request, reply) => sendPage(reply, { state: 'form', userCode: request.query.user_code ?? '', username: '' }),
    );

    app.post(
      '/device',
      {
        config: { access: 'public' },
        schema: {
          summary: 'The form of that page',
          description:
            'Answers with the page again, also when it refuses: with the status of the refusal and its reason on the page. Wrong passwords count as failures of signing in.',
          tags: ['devices'],
          consumes: [formMediaType],
          produces: ['text/html'],
          response: { 200: Page, 400: Page, 401: Page, 403: Page, 404: Page, 429: Page },
        },
      },
      async (request, reply) => {
        const form = await readForm(request);
        const [userCode = '', username = '', password = '', choice] = ['user_code', 'username', 'password', 'decision'].map(
          (name) => form.get(name) ?? undefined,
        );
        try {
          const decision = decisionOf(choice);
          mustFit({ userCode, username, password });
          const origin = originOf(request);
          const tell = (limit: LimitDecision) => limitReply(reply, limit);
          const { who } = await sessions.prove({ method: 'password', username, password }, origin, tell);
          await deviceAuthorizations.decide(who, { userCode, decision }, origin, tell);
          return sendPage(reply, { state: decision });
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          (reply as FastifyReply).code(error.status).headers(problemHeaders(error)); // any refusal, also those that every route has
          return sendPage(reply, {
            state: 'form',
            userCode: userCode.slice(0, 64),
            username: username.slice(0, 256),
            complaint: error.message,
          });
        }
      },
    );
  };

const sendPage = (reply: FastifyReply, page: DevicePage) => sendHtml(reply, devicePage(page), formPagePolicy);

/** Only a word of the two buttons decides: a form that was sent in another way approves nothing. */
const decisionOf = (choice: string | undefined): 'approved' | 'denied' => {
  if (choice === 'approve') return 'approved';
  if (choice === 'deny') return 'denied';
  throw new Problem('bad-body', 'Choose whether to let the device in.');
};

const mustFit = ({ userCode, username, password }: { userCode: string; username: string; password: string }) => {
  const isFit = [userCode, username, password].every((text) => /^[^\u0000-\u001f\u007f]+$/.test(text) && text.length <= passwordLength.max);
  if (!isFit) throw new Problem('bad-body', 'The code, the user name and the password are needed.');
};
