import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { formMediaType, readForm } from '../../../http/form-body.ts';
import { problemHeaders } from '../../../http/problem-reply.ts';
import { sendHtml } from '../../../http/security-headers.ts';
import type { Files } from '../files.ts';
import { type SharePage, sharePage, sharePagePolicy } from './share-page.ts';
import { tokenOfShare, visitorOf } from './share-routes.ts';

const Page = Type.String({ description: 'A page for people.', examples: ['<!doctype html>'] });

/** `/s/{token}`, the address of a share: a page that works without a script. */
export const sharePageRoutes =
  ({ shareVisits }: Pick<Files, 'shareVisits'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    const schema = { tags: ['pages'], params: Type.Object(tokenOfShare), produces: ['text/html'] };

    app.get(
      '/:token',
      {
        config: { access: 'public', takesAnyQuery: true }, // what messengers and mail programs hang on to addresses
        schema: {
          ...schema,
          summary: 'The page of a share',
          description: 'Asks for the password where there is one, else shows the files. A refusal is told on the page, with its status.',
          response: { 200: Page, 404: Page, 410: Page, 423: Page },
        },
      },
      async (request, reply) => {
        const { token } = request.params;
        try {
          if (await shareVisits.needsPassword(token)) return sendSharePage(reply, { state: 'closed' });
          const share = await shareVisits.open(token, undefined, visitorOf(request), () => undefined);
          return sendSharePage(reply, { state: 'open', token, share });
        } catch (error) {
          return sendRefusal(reply, error);
        }
      },
    );

    app.post(
      '/:token',
      {
        config: { access: 'public', takesAnyQuery: true },
        schema: {
          ...schema,
          summary: 'The form of that page',
          description: 'The field `password` opens it.',
          consumes: [formMediaType],
          response: { 200: Page, 403: Page, 404: Page, 410: Page, 423: Page, 429: Page },
        },
      },
      async (request, reply) => {
        const { token } = request.params;
        const password = (await readForm(request)).get('password') ?? undefined;
        try {
          const share = await shareVisits.open(token, password, visitorOf(request), () => undefined);
          return sendSharePage(reply, { state: 'open', token, share });
        } catch (error) {
          return sendRefusal(reply, error);
        }
      },
    );
  };

const sendSharePage = (reply: FastifyReply, page: SharePage) => sendHtml(reply, sharePage(page), sharePagePolicy);

/** Any refusal, also those that every route has. */
const sendRefusal = (reply: FastifyReply, error: unknown) => {
  if (!(error instanceof Problem)) throw error;
  reply.code(error.status).headers(problemHeaders(error));
  const { kind, message } = error;
  const isOfForm = kind === 'wrong-password' || kind === 'too-many' || kind === 'unavailable';
  return sendSharePage(reply, isOfForm ? { state: 'closed', complaint: message } : { state: 'refused', kind });
};
