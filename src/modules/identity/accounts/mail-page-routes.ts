import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { readForm } from '../../../http/form-body.ts';
import { problemHeaders } from '../../../http/problem-reply.ts';
import { sendHtml } from '../../../http/security-headers.ts';
import { originOf } from '../sessions/session-routes.ts';
import type { Origin } from '../sessions/sessions.ts';
import { formPagePolicy } from './form-page.ts';
import { type MailPage, mailPage } from './mail-pages.ts';
import type { PasswordActs } from './password-acts.ts';
import type { SignUp } from './sign-up.ts';

const Page = Type.String({ description: 'A page for people.', examples: ['<!doctype html>'] });

/** The pages that links in mails lead to, for people without a client of their own: `/confirm` and `/reset`. */
export const mailPageRoutes =
  ({ signUp, passwordActs }: { signUp: SignUp; passwordActs: PasswordActs }): FastifyPluginAsyncTypebox =>
  async (app) => {
    const pages = {
      confirm: {
        summary: 'confirm an e-mail address',
        act: (form: URLSearchParams, origin: Origin) => signUp.confirm(form.get('token') ?? '', origin),
      },
      reset: {
        summary: 'choose a new password',
        act: (form: URLSearchParams, origin: Origin) => passwordActs.reset(form.get('token') ?? '', form.get('password') ?? '', origin),
      },
    } as const;

    for (const page of ['confirm', 'reset'] as const) {
      const { summary, act } = pages[page];
      app.get(
        `/${page}`,
        {
          config: { access: 'public' },
          schema: {
            summary: `The page on which to ${summary}`,
            description: 'Links in mails lead here. Opening it changes nothing: mail scanners follow every link.',
            tags: ['pages'],
            produces: ['text/html'],
            querystring: Type.Object({ token: Type.Optional(Type.String({ maxLength: 256 })) }),
            response: { 200: Page },
          },
        },
        async (request, reply) => sendMailPage(reply, { page, state: 'form', token: request.query.token ?? '' }),
      );

      app.post(
        `/${page}`,
        {
          config: { access: 'public' },
          schema: {
            summary: 'The form of that page',
            description: 'Answers with the page again, also when it refuses: with the status of the refusal and its reason on the page.',
            tags: ['pages'],
            consumes: ['application/x-www-form-urlencoded'],
            produces: ['text/html'],
            response: { 200: Page, 400: Page },
          },
        },
        async (request, reply) => {
          const form = await readForm(request);
          try {
            await act(form, originOf(request));
            return sendMailPage(reply, { page, state: 'done' });
          } catch (error) {
            if (!(error instanceof Problem)) throw error;
            (reply as FastifyReply).code(error.status).headers(problemHeaders(error)); // any refusal, also those that every route has
            return sendMailPage(reply, { page, state: 'form', token: form.get('token') ?? '', complaint: error.message });
          }
        },
      );
    }
  };

const sendMailPage = (reply: FastifyReply, page: MailPage) => sendHtml(reply, mailPage(page), formPagePolicy);
