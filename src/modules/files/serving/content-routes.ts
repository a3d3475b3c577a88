import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from '../../../foundation/schema.ts';
import { addressOf, callerOf } from '../../../http/access.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { bytesAnswers, sendBytes } from '../../../http/send-bytes.ts';
import { fileTags, folderTokenHeader, idOfFile } from '../file-schemas.ts';
import type { SeenFile } from '../file-store.ts';
import type { Files } from '../files.ts';
import type { Viewer } from '../viewer.ts';

export const Disposition = Type.Unsafe<'inline' | 'attachment'>({
  type: 'string',
  enum: ['inline', 'attachment'],
  description: 'Whether a browser may show it. What could run in a browser is saved whatever is said here.',
});

/** Where a fetch comes from. */
export const fetchOrigin = (request: FastifyRequest) => ({
  address: addressOf(request),
  userAgent: request.headers['user-agent'],
  requestId: request.id,
});

/** May be kept, and has to be asked about before each use: who may have it changes. */
const privateBytes = 'private, no-cache';

/** The bytes of files, for those who have signed in. */
export const contentRoutes =
  ({ acts, viewerOf, bytesOf }: Pick<Files, 'acts' | 'viewerOf' | 'bytesOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    const serve = (
      request: FastifyRequest,
      viewer: Viewer,
      file: SeenFile,
      { disposition = 'inline', isOwnAddress }: { disposition: 'inline' | 'attachment' | undefined; isOwnAddress: boolean },
    ) =>
      bytesOf(file, {
        ...{ disposition, isOwnAddress, cacheControl: privateBytes },
        download: { isUnderLock: file.isUnderLock === 1, how: 'content', by: viewer, ...fetchOrigin(request) },
      });

    app.get(
      '/:id/content',
      {
        config: { access: 'files:read', answersHead: true },
        schema: {
          summary: 'The bytes of a file',
          description: '`Range`, `If-None-Match`, `If-Range` and their kin count as RFC 9110 has them. HEAD tells the headers alone.',
          tags: fileTags,
          params: idOfFile,
          querystring: Type.Object({ disposition: Type.Optional(Disposition) }),
          headers: folderTokenHeader,
          produces: ['*/*'],
          response: { ...bytesAnswers, ...refusals(404, 'locked') },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        const file = await acts.getReadable(viewer, request.params.id);
        const { disposition } = request.query;
        return await sendBytes(request, reply, serve(request, viewer, file, { disposition, isOwnAddress: true }));
      },
    );

    app.get(
      '/by-name/:name/content',
      {
        config: { access: 'files:read', answersHead: true },
        schema: {
          summary: 'The bytes of your newest file of a name',
          description: '`Content-Location` tells which file it is.',
          tags: fileTags,
          params: Type.Object({ name: Type.String({ minLength: 1, maxLength: 1024, examples: ['harbour.png'] }) }),
          querystring: Type.Object({ disposition: Type.Optional(Disposition) }),
          headers: folderTokenHeader,
          produces: ['*/*'],
          response: { ...bytesAnswers, ...refusals(404, 'locked') },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        const file = await acts.getNewest(viewer, request.params.name);
        const { disposition } = request.query;
        reply.header('content-location', `/v1/files/${file.id}/content`);
        return await sendBytes(request, reply, serve(request, viewer, file, { disposition, isOwnAddress: false }));
      },
    );
  };
