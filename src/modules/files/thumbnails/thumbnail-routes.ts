import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../../foundation/schema.ts';
import { callerOf } from '../../../http/access.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { bytesAnswers, sendBytes } from '../../../http/send-bytes.ts';
import { fileTags, folderTokenHeader, idOfFile } from '../file-schemas.ts';
import type { Files } from '../files.ts';
import { type ThumbnailSize, thumbnailSizes } from './thumbnail-maker.ts';

/** `/v1/files/{id}/thumbnail`. */
export const thumbnailRoutes =
  ({ acts, viewerOf, thumbnails }: Pick<Files, 'acts' | 'viewerOf' | 'thumbnails'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/:id/thumbnail',
      {
        config: { access: 'files:read', answersHead: true },
        schema: {
          summary: 'A small picture of an image',
          description: 'WebP that fits into a square of `size` pixels, upright, without anything that the camera wrote into the file.',
          tags: fileTags,
          params: idOfFile,
          querystring: Type.Object({
            size: Type.Unsafe<ThumbnailSize>({ type: 'integer', enum: [...thumbnailSizes], default: 256, description: 'Pixels.' }),
          }),
          headers: folderTokenHeader,
          produces: ['image/webp'],
          response: { ...bytesAnswers, ...refusals(404, 'locked', 'unsupported-type', 'broken-image') },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        const file = await acts.getReadable(viewer, request.params.id);
        const { bytes, sha256, type, name } = await thumbnails.get(file, request.query.size);
        return await sendBytes(request, reply, {
          ...{ type, name, sha256, size: bytes.length, etag: `"${sha256}"` },
          ...{ disposition: 'inline', cacheControl: 'private, no-cache' },
          open: async (range) =>
            Readable.from([range === undefined ? bytes : bytes.subarray(range.first, range.last + 1)], { objectMode: false }),
          read: async ({ first, last }) => bytes.subarray(first, last + 1),
        });
      },
    );
  };
