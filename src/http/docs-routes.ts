import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../foundation/problem.ts';
import { Type } from '../foundation/schema.ts';
import type { ApiDocument } from './openapi.ts';
import { refusals } from './problem-reply.ts';
import { docsPagePolicy, sendHtml } from './security-headers.ts';

const page =
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">' +
  '<title>Entrepot API</title><link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png"></head>' +
  '<body><div id="swagger-ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>';

const start =
  "window.ui = SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, persistAuthorization: true, " +
  'displayRequestDuration: true, filter: true, validatorUrl: null });\n';

/** The files of the renderer that the page asks for; nothing else of its folder is served. */
const files: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

const rendererFolder = (): string => join(dirname(createRequire(import.meta.url).resolve('@fastify/swagger-ui/package.json')), 'static');

/** The API document, and the page that renders it with files of our own (no CDN). Nothing of it is read before somebody asks. */
export const docsRoutes = (document: ApiDocument): FastifyPluginAsyncTypebox => {
  const sendDocument = (_request: FastifyRequest, reply: FastifyReply): void => {
    reply.type('application/json; charset=utf-8').send(document.text());
  };

  return async (app) => {
    for (const url of ['/openapi.json', '/docs/swagger.json']) {
      app.get(
        url,
        {
          config: { access: 'public', takesAnyQuery: true },
          schema: {
            summary: 'This document',
            tags: ['operation'],
            response: { 200: Type.Unknown({ description: 'An OpenAPI 3.1 document.', examples: [{ openapi: '3.1.0' }] }) },
          },
        },
        sendDocument,
      );
    }

    app.get(
      '/docs',
      {
        config: { access: 'public', takesAnyQuery: true },
        schema: { summary: 'The API, to read and to try', tags: ['operation'], hide: true, response: { 200: Type.String() } },
      },
      (_request, reply) => {
        sendHtml(reply, page, docsPagePolicy);
      },
    );

    app.get(
      '/docs/start.js',
      {
        config: { access: 'public' },
        schema: { summary: 'Starts the renderer', tags: ['operation'], hide: true, response: { 200: Type.String() } },
      },
      (_request, reply) => {
        reply.type('text/javascript; charset=utf-8').send(start);
      },
    );

    app.get(
      '/docs/:file',
      {
        config: { access: 'public' },
        schema: {
          summary: 'A file of the renderer',
          tags: ['operation'],
          hide: true,
          params: Type.Object({ file: Type.String() }),
          response: { 200: Type.Unknown(), ...refusals(404) },
        },
      },
      async (request, reply) => {
        const { file } = request.params;
        const type = Object.hasOwn(files, file) ? files[file] : undefined;
        if (type === undefined) throw new Problem('not-found', 'There is no such file.');
        const bytes = await readFile(join(rendererFolder(), file));
        return reply.type(type).header('cache-control', 'public, max-age=3600').send(bytes);
      },
    );
  };
};
