import { Type } from '../../foundation/schema.ts';
import { fieldLengths, longestRole, mostRoles, visibilities } from './file-fields.ts';

const tags = ['files'];

export { tags as fileTags };

export const idOfFile = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });

/** Opens locked folders; several tokens are separated by commas. */
export const folderTokenHeader = Type.Object({
  'x-folder-token': Type.Optional(
    Type.String({ maxLength: 8_192, description: '`folderToken` of an unlocked folder; several separated by commas.' }),
  ),
});

const text = (name: keyof typeof fieldLengths, description: string) => Type.String({ maxLength: fieldLengths[name], description });
const Visibility = Type.Unsafe<(typeof visibilities)[number]>({
  type: 'string',
  enum: [...visibilities],
  description: '`private`: its owner; `tenant`: its members (of `roles`, where there are some); `public`: everybody, at `url`.',
});

/** What a sender says of a file, as members of a JSON body or of a query. Their lengths are checked once more with those of other roads. */
export const fieldSchemas = {
  name: Type.String({ minLength: 1, maxLength: 1024, description: 'Only the last part of a path is kept.' }),
  title: text('title', 'What people call it.'),
  description: text('description', 'What it is.'),
  category: text('category', 'For finding and statistics.'),
  language: text('language', 'BCP 47, e.g. `en`.'),
  provider: text('provider', 'Who made it available.'),
  roles: Type.Array(Type.String({ maxLength: longestRole }), {
    maxItems: mostRoles,
    description: 'The audiences it is meant for; all where empty.',
  }),
  folderId: Type.String({ minLength: 1, maxLength: 64 }),
  visibility: Visibility,
};

export const exampleFile = {
  id: 'file_01k8t3w0e5f6g7h8j9kamn0pqr',
  name: 'harbour.png',
  title: 'The harbour at night',
  category: 'photos',
  roles: ['Mentor/Coach'],
  visibility: 'private',
  type: 'image/png',
  size: 48_211,
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  state: 'stored',
  owner: 'per_01k8t3w0e5f6g7h8j9kamn0pqr',
  createdAt: '2026-11-25T12:00:00.000Z',
  updatedAt: '2026-11-25T12:00:00.000Z',
  thumbnailUrl: '/v1/files/file_01k8t3w0e5f6g7h8j9kamn0pqr/thumbnail',
};

export const FileOut = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    title: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    category: Type.Optional(Type.String()),
    language: Type.Optional(Type.String()),
    provider: Type.Optional(Type.String()),
    roles: Type.Array(Type.String()),
    folderId: Type.Optional(Type.String()),
    visibility: Type.String(),
    type: Type.String({ description: 'What its bytes are.' }),
    size: Type.Integer({ description: 'Bytes.' }),
    sha256: Type.String({ description: 'Lower-case hexadecimal; quoted it is the ETag.' }),
    state: Type.String({ description: '`expected`, `checking`, `stored`, `rejected` or `trashed`.' }),
    reason: Type.Optional(Type.String({ description: 'Why it was rejected.' })),
    owner: Type.String(),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
    url: Type.Optional(Type.String({ description: 'Where everybody gets a public file.' })),
    thumbnailUrl: Type.Optional(Type.String({ description: 'Of images.' })),
  },
  { examples: [exampleFile] },
);
