import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { callerOf } from '../../http/access.ts';
import { baseUrlOf } from '../../http/base-url.ts';
import { refusals } from '../../http/problem-reply.ts';
import { FileOut, fileTags, folderTokenHeader, idOfFile } from './file-schemas.ts';
import type { Files } from './files.ts';

/** Files as rows: what is known of them. */
export const fileRoutes =
  ({ acts, viewerOf, resourceOf }: Pick<Files, 'acts' | 'viewerOf' | 'resourceOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/:id',
      {
        config: { access: 'files:read' },
        schema: {
          summary: 'One file',
          tags: fileTags,
          params: idOfFile,
          headers: folderTokenHeader,
          response: { 200: FileOut, ...refusals(404, 'locked') },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        return reply.send(resourceOf(await acts.get(viewer, request.params.id), baseUrlOf(request)));
      },
    );
  };
