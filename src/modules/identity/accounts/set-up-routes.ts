import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { readForm } from '../../../http/form-body.ts';
import { problemHeaders, refusals } from '../../../http/problem-reply.ts';
import { limitReply } from '../../../http/rate-limit.ts';
import { sendHtml } from '../../../http/security-headers.ts';
import { originOf } from '../sessions/session-routes.ts';
import { formPagePolicy } from './form-page.ts';
import { PasswordIn, UsernameIn } from './person-schemas.ts';
import type { SetUp, SetUpWanted } from './set-up.ts';
import { type SetUpPage, setUpPage } from './set-up-page.ts';

const SetUpIn = Type.Object(
  {
    token: Type.String({ minLength: 1, maxLength: 256, description: 'Printed at the start of a server that has no operator.' }),
    username: UsernameIn,
    password: PasswordIn,
  },
  {
    additionalProperties: false,
    examples: [{ token: 'nkPmPBDC0xfWKpFkjmuzJbbY3GdXYjr9hkyCVmZ7xQk', username: 'ada', password: 'correct horse battery staple' }],
  },
);

const OperatorOut = Type.Object(
  { id: Type.String(), username: Type.String() },
  { examples: [{ id: 'per_01k8t3w0e5f6g7h8j9kamn0pqr', username: 'ada' }] },
);

const Page = Type.String({ description: 'A page for people.', examples: ['<!doctype html>'] });

export const setUpRoutes =
  ({ setUp }: { setUp: SetUp }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/v1/setup',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Make the first operator',
          description: 'With the one-time token that a server without an operator prints when it starts.',
          tags: ['setup'],
          body: SetUpIn,
          response: { 201: OperatorOut, ...refusals('bad-credentials', 'already-set-up', 'too-many') },
        },
      },
      async (request, reply) => {
        const operator = await setUp.setUp(request.body, originOf(request), (decision) => limitReply(reply, decision));
        return reply.code(201).send(operator);
      },
    );

    app.get(
      '/setup',
      {
        config: { access: 'public' },
        schema: {
          summary: 'The page on which the first operator is made',
          tags: ['setup'],
          produces: ['text/html'],
          querystring: Type.Object({ token: Type.Optional(Type.String({ maxLength: 256 })) }),
          response: { 200: Page },
        },
      },
      async (request, reply) => {
        const token = request.query.token ?? '';
        return sendSetUpPage(reply, (await setUp.isSetUp()) ? { state: 'already-set-up' } : { state: 'form', token, username: '' });
      },
    );

    app.post(
      '/setup',
      {
        config: { access: 'public' },
        schema: {
          summary: 'The form of that page',
          tags: ['setup'],
          description: 'Answers with the page again, also when it refuses: with the status of the refusal and its reason on the page.',
          consumes: ['application/x-www-form-urlencoded'],
          produces: ['text/html'],
          response: { 201: Page, 401: Page, 409: Page, 429: Page },
        },
      },
      async (request, reply) => {
        const wanted = wantedOf(await readForm(request));
        try {
          const { username } = await setUp.setUp(wanted, originOf(request), (decision) => limitReply(reply, decision));
          return sendSetUpPage(reply.code(201), { state: 'done', username });
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          (reply as FastifyReply).code(error.status).headers(problemHeaders(error)); // any refusal, also those that every route has
          if (error.kind === 'already-set-up') return sendSetUpPage(reply, { state: 'already-set-up' });
          const { token, username } = wanted;
          return sendSetUpPage(reply, { state: 'form', token, username, complaint: error.message });
        }
      },
    );
  };

const sendSetUpPage = (reply: FastifyReply, page: SetUpPage) => sendHtml(reply, setUpPage(page), formPagePolicy);

const wantedOf = (form: URLSearchParams): SetUpWanted => ({
  token: form.get('token') ?? '',
  username: form.get('username') ?? '',
  password: form.get('password') ?? '',
});
