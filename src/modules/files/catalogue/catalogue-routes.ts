import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../../foundation/schema.ts';
import { callerOf } from '../../../http/access.ts';
import { baseUrlOf } from '../../../http/base-url.ts';
import { listQuery, pageOf, sendPage } from '../../../http/paging.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { FileOut, fieldSchemas, fileTags, folderTokenHeader, idOfFile } from '../file-schemas.ts';
import type { Files } from '../files.ts';
import { sorts } from './catalogue-store.ts';

const states = ['expected', 'checking', 'stored', 'rejected', 'trashed'] as const;

const oneOf = <const Words extends readonly string[]>(words: Words, description: string) =>
  Type.Optional(Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], description }));
const text = (maxLength: number, description: string) => Type.Optional(Type.String({ minLength: 1, maxLength, description }));

const ListQuery = Type.Object({
  ...listQuery,
  q: text(
    200,
    'Words of name, title or description. All must occur, the last one as the beginning of a word; accents and case do not count.',
  ),
  folder: text(64, 'A folder of yours; `root` for what lies in none. What lies in its folders is not listed.'),
  category: text(100, 'Exactly this one, as with all that follow.'),
  language: text(35, 'E.g. `en`.'),
  provider: text(100, 'Who made it available.'),
  role: text(100, 'One of the audiences that it is meant for.'),
  type: text(255, 'A media type, or all of a kind: `image/*`.'),
  state: oneOf(states, 'Without it: stored ones and those being checked. Other states are seen by the owner and by administrators.'),
  visibility: oneOf(['private', 'tenant', 'public'], 'Who may see it.'),
  owner: oneOf(['me'], 'Your own alone.'),
  sort: oneOf(
    sorts,
    'Upwards, with `-` downwards; `-createdAt` (newest first) unless given. Names are ordered by their code points. A cursor belongs to its sort.',
  ),
});

const orNull = <Name extends Exclude<keyof typeof fieldSchemas, 'name'>>(name: Name) =>
  Type.Optional(Type.Union([fieldSchemas[name], Type.Null()]));

const FileChangeIn = Type.Object(
  {
    name: Type.Optional(fieldSchemas.name),
    title: orNull('title'),
    description: orNull('description'),
    category: orNull('category'),
    language: orNull('language'),
    provider: orNull('provider'),
    roles: orNull('roles'),
    folderId: orNull('folderId'),
    visibility: orNull('visibility'),
  },
  {
    additionalProperties: false,
    description:
      'JSON Merge Patch: null takes away (of `visibility` it makes the file private, of `folderId` it puts it at the top level).',
    examples: [{ title: 'The harbour at night', category: null }],
  },
);

/** Files found, and what is said of them changed. */
export const catalogueRoutes =
  ({ catalogue, viewerOf, resourceOf }: Pick<Files, 'catalogue' | 'viewerOf' | 'resourceOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/',
      {
        config: { access: 'files:read' },
        schema: {
          summary: 'Find files',
          description:
            'What you may see, newest first: your own, those of your tenant that are meant for you, public ones. What lies in locked folders is left out.',
          tags: fileTags,
          headers: folderTokenHeader,
          querystring: ListQuery,
          response: { 200: pageOf(FileOut), ...refusals('bad-cursor', 404, 'locked') },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        const { limit, cursor, ...query } = request.query;
        const page = await catalogue.list(viewer, query, { limit, ...(cursor === undefined ? {} : { cursor }) });
        const baseUrl = baseUrlOf(request);
        return sendPage(request, reply, { ...page, items: page.items.map((row) => resourceOf(row, baseUrl)) });
      },
    );

    app.patch(
      '/:id',
      {
        config: { access: 'files:write' },
        schema: {
          summary: 'Change what is said of a file',
          description: 'By its owner, while it is stored. Its bytes stay what they are.',
          tags: fileTags,
          params: idOfFile,
          headers: folderTokenHeader,
          body: FileChangeIn,
          response: { 200: FileOut, ...refusals('not-allowed', 404, 'conflict', 'locked') },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        const row = await catalogue.change(viewer, request.params.id, request.body, { requestId: request.id });
        return reply.send(resourceOf(row, baseUrlOf(request)));
      },
    );
  };
