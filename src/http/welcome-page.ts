import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../foundation/schema.ts';
import { pageOfHtml } from './page.ts';
import { plainPagePolicy, sendHtml } from './security-headers.ts';

const welcome = pageOfHtml(
  'Entrepot',
  '<h1>Entrepot</h1><p>The front door of your data: what comes in is written down before it is said to be here, ' +
    'and handed on at the pace the receiver can take.</p><ul><li><a href="/docs">The API, to read and to try</a></li>' +
    '<li><a href="/openapi.json">The OpenAPI document</a></li><li><a href="/problems">Every refusal explained</a></li>' +
    '<li><a href="/readyz">How it is doing</a></li></ul>',
);

/** What a browser sees at the root. */
export const welcomeRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/',
    {
      config: { access: 'public', takesAnyQuery: true },
      schema: { summary: 'A page of welcome', tags: ['operation'], hide: true, response: { 200: Type.String() } },
    },
    (_request, reply) => {
      sendHtml(reply, welcome, plainPagePolicy);
    },
  );
};
