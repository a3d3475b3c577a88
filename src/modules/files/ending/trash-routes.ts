import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from '../../../foundation/schema.ts';
import { addressOf, callerOf } from '../../../http/access.ts';
import { baseUrlOf } from '../../../http/base-url.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { FileOut, fileTags, folderTokenHeader, idOfFile } from '../file-schemas.ts';
import type { Files } from '../files.ts';

/** Into the trash, out of it, and gone for good. */
export const trashRoutes =
  ({ trash, viewerOf, resourceOf }: Pick<Files, 'trash' | 'viewerOf' | 'resourceOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.delete(
      '/:id',
      {
        config: { access: 'files:write' },
        schema: {
          summary: 'Delete a file',
          description:
            'Moves it to the trash: its owner still sees it, its content is 404, and it still counts for the quota until `ENTREPOT_TRASH` is over. ' +
            'Said again it is 204 as well. `permanent=true` deletes it for good, as is done with a file that never came to be stored: it is gone ' +
            'at once, its bytes within 60 s. For its owner alone.',
          tags: fileTags,
          params: idOfFile,
          headers: folderTokenHeader,
          querystring: Type.Object({ permanent: Type.Optional(Type.Boolean({ description: 'For good, also out of the trash.' })) }),
          response: { 204: Type.Null(), ...refusals('not-found', 'locked') },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        const end = request.query.permanent === true ? trash.remove : trash.trash;
        await end(viewer, request.params.id, originOf(request));
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/:id/restore',
      {
        config: { access: 'files:write' },
        schema: {
          summary: 'Restore a file from the trash',
          description:
            'Back into its folder if that is still there, else to the top level. A stored file stays as it is; one that never was is 409.',
          tags: fileTags,
          params: idOfFile,
          headers: folderTokenHeader,
          response: { 200: FileOut, ...refusals('not-found', 'conflict', 'locked') },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        const row = await trash.restore(viewer, request.params.id, originOf(request));
        return reply.send(resourceOf(row, baseUrlOf(request)));
      },
    );
  };

const originOf = (request: FastifyRequest) => ({ address: addressOf(request), requestId: request.id });
