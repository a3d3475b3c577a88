import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../../foundation/schema.ts';
import { callerOf } from '../../../http/access.ts';
import { listQuery, pageOf, sendPage } from '../../../http/paging.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { moment, timesOf } from '../../../http/time-range.ts';
import { fileTags, folderTokenHeader } from '../file-schemas.ts';
import type { Files } from '../files.ts';
import type { AccessFilter } from './access-store.ts';

const AccessOut = Type.Object(
  {
    at: Type.String({ format: 'date-time' }),
    fileId: Type.String(),
    name: Type.String({ description: 'Of the file when it was fetched.' }),
    person: Type.Optional(Type.String({ description: 'Who fetched it; absent where nobody had to say so.' })),
    how: Type.String({ description: '`content`, `link`, `share` or `public`.' }),
    address: Type.Optional(Type.String({ description: 'Absent where the account of who fetched it was deleted.' })),
    userAgent: Type.Optional(Type.String()),
    bytes: Type.Integer({ description: 'How many the answer had.' }),
  },
  {
    examples: [
      {
        at: '2026-11-25T12:00:00.000Z',
        fileId: 'file_01k8t3w0e5f6g7h8j9kamn0pqr',
        name: 'harbour.png',
        person: 'per_01k8t3w0e5f6g7h8j9kamn0pqr',
        how: 'content',
        address: '203.0.113.7',
        userAgent: 'curl/8.5.0',
        bytes: 48_211,
      },
    ],
  },
);

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 255, description }));

/** `/v1/files/accesses`. */
export const accessRoutes =
  ({ accessLog, viewerOf }: Pick<Files, 'accessLog' | 'viewerOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/accesses',
      {
        config: { access: 'files:read' },
        schema: {
          summary: 'Who fetched what',
          description: 'Downloads of your own files, for an administrator of all files of the tenant, newest first.',
          tags: fileTags,
          headers: folderTokenHeader,
          querystring: Type.Object({
            ...listQuery,
            file: text('Of this file.'),
            person: text('By this person.'),
            provider: text('Of files of this provider.'),
            language: text('Of files in this language.'),
            role: text('Of files that were meant for this audience.'),
            from: moment('Fetched at this time or later.'),
            to: moment('Fetched before this time.'),
          }),
          response: { 200: pageOf(AccessOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => {
        const { limit, cursor, from, to, ...rest } = request.query;
        const filter: AccessFilter = {
          ...rest,
          ...timesOf({ from, to }),
        };
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        const page = await accessLog.list(viewer, filter, { limit, ...(cursor === undefined ? {} : { cursor }) });
        return sendPage(request, reply, page);
      },
    );
  };
