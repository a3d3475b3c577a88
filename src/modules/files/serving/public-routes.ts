import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../../foundation/schema.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { bytesAnswers, sendBytes } from '../../../http/send-bytes.ts';
import { fileTags, idOfFile } from '../file-schemas.ts';
import type { Files } from '../files.ts';
import { fetchOrigin } from './content-routes.ts';

/** The bytes under an id never change, so that a cache need not ask again. */
const publicBytes = 'public, max-age=31536000, immutable';

/** Scripts of other sites may read these, too (a browser shows them no other headers than those named here). */
const readableHeaders = 'Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Repr-Digest';

/** Public files: for everybody, on every site, in every cache. */
export const publicRoutes =
  ({ acts, bytesOf }: Pick<Files, 'acts' | 'bytesOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/:fileId/:name',
      {
        config: { access: 'public', answersHead: true },
        schema: {
          summary: 'Fetch a public file',
          description: '`url` of a public file. It may be cached for ever; what is published anew gets a new id.',
          tags: fileTags,
          params: Type.Object({ fileId: idOfFile.properties.id, name: Type.String() }),
          produces: ['*/*'],
          response: { ...bytesAnswers, ...refusals(404, 'locked') },
        },
      },
      async (request, reply) => {
        const { fileId, name } = request.params;
        const file = await acts.getPublic(fileId, name);
        const bytes = bytesOf(file, {
          disposition: 'inline',
          isOwnAddress: true,
          isForEverySite: true,
          cacheControl: publicBytes,
          download: { isUnderLock: false, how: 'public', ...fetchOrigin(request) },
        });
        reply.header('access-control-allow-origin', '*').header('access-control-expose-headers', readableHeaders);
        return await sendBytes(request, reply, bytes);
      },
    );
  };
