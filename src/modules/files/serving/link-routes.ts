import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { toRfc3339 } from '../../../foundation/clock.ts';
import { Type } from '../../../foundation/schema.ts';
import { callerOf } from '../../../http/access.ts';
import { baseUrlOf } from '../../../http/base-url.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { bytesAnswers, sendBytes } from '../../../http/send-bytes.ts';
import { fileTags, folderTokenHeader, idOfFile } from '../file-schemas.ts';
import type { Files } from '../files.ts';
import { Disposition, fetchOrigin } from './content-routes.ts';

const exampleLink = {
  url: 'https://files.example.org/l/file_01k8t3w0e5f6g7h8j9kamn0pqr/harbour.png?expires=1795612800&disposition=inline&by=per_01k8t3w0e5f6g7h8j9kamn0pqr&key=689&signature=5m1…',
  expiresAt: '2026-11-25T13:20:00.000Z',
};

const LinkOut = Type.Object(
  { url: Type.String({ description: 'Whoever has it has the bytes.' }), expiresAt: Type.String({ format: 'date-time' }) },
  { examples: [exampleLink] },
);

const linkIn = (longestMs: number) =>
  Type.Object(
    {
      expiresIn: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: Math.floor(longestMs / 1000),
          description: 'Seconds; `ENTREPOT_LINK_TTL` unless given.',
        }),
      ),
      disposition: Type.Optional(Disposition),
    },
    { additionalProperties: false, examples: [{ expiresIn: 3600, disposition: 'attachment' }] },
  );

/** `/v1/files/{id}/links`. */
export const linkRoutes =
  ({ acts, viewerOf, links, urlOf }: Pick<Files, 'acts' | 'viewerOf' | 'links' | 'urlOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/:id/links',
      {
        config: { access: 'files:read' },
        schema: {
          summary: 'Make a link to a file',
          description:
            'It lets whoever has it fetch the bytes until it ends, without signing in. While the folder of the file is locked it is 423, when the ' +
            'file is in the trash, or you may not read it any more, 404.',
          tags: fileTags,
          params: idOfFile,
          headers: folderTokenHeader,
          body: Type.Union([linkIn(links.longestMs), Type.Null()]),
          response: { 201: LinkOut, ...refusals(404, 'locked') },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        const file = await acts.getReadable(viewer, request.params.id);
        const { expiresIn, disposition = 'inline' } = request.body ?? {};
        const { path, expiresAt } = await links.sign(file, {
          by: viewer.ownerId,
          disposition,
          ...(expiresIn === undefined ? {} : { expiresInMs: expiresIn * 1000 }),
        });
        return reply.code(201).send({ url: urlOf(path, baseUrlOf(request)), expiresAt: toRfc3339(expiresAt) });
      },
    );
  };

const anyText = Type.Optional(Type.String({ maxLength: 256 }));

/** Where signed links lead. */
export const signedRoutes =
  ({ links, bytesOf }: Pick<Files, 'links' | 'bytesOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/:fileId/:name',
      {
        config: { access: 'public', answersHead: true },
        schema: {
          summary: 'Fetch a file by a signed link',
          description: 'The name is for people; what the signature holds together is the file, the end, the disposition and who made it.',
          tags: fileTags,
          params: Type.Object({ fileId: idOfFile.properties.id, name: Type.String() }),
          querystring: Type.Object({ expires: anyText, disposition: anyText, by: anyText, key: anyText, signature: anyText }),
          produces: ['*/*'],
          response: { ...bytesAnswers, ...refusals('bad-link', 404, 'gone', 'locked') },
        },
      },
      async (request, reply) => {
        const { file, disposition, restMs } = await links.open(request.params.fileId, request.query);
        const bytes = bytesOf(file, {
          disposition,
          isOwnAddress: true,
          isForEverySite: true, // whoever has the link may also show it on a page of its own
          cacheControl: `private, max-age=${Math.floor(restMs / 1000)}`,
          download: { isUnderLock: false, how: 'link', ...fetchOrigin(request) },
        });
        return await sendBytes(request, reply, bytes);
      },
    );
  };
