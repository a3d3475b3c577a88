import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toRfc3339 } from '../../../foundation/clock.ts';
import { Type } from '../../../foundation/schema.ts';
import { addressOf, callerOf } from '../../../http/access.ts';
import { baseUrlOf } from '../../../http/base-url.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { bodyStream, takeBodiesAsStreams } from '../../../http/stream-body.ts';
import { readFields } from '../file-fields.ts';
import { exampleFile, FileOut, fieldSchemas, fileTags, folderTokenHeader, idOfFile } from '../file-schemas.ts';
import type { Files } from '../files.ts';

const { name, ...otherFields } = fieldSchemas;

const DirectIn = Type.Object(
  {
    name,
    size: Type.Integer({ minimum: 0, description: 'Bytes, exactly.' }),
    type: Type.String({ minLength: 1, maxLength: 255, pattern: '^[ -~]+$', description: 'What the bytes will be.' }),
    sha256: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F]{64}$', description: 'What they must be.' })),
    ...Type.Partial(Type.Object(otherFields)).properties,
  },
  { additionalProperties: false, examples: [{ name: 'harbour.txt', size: 12, type: 'text/plain', title: 'The harbour at night' }] },
);

const DirectOut = Type.Object(
  {
    file: FileOut,
    upload: Type.Object({
      method: Type.Literal('PUT'),
      url: Type.String({ description: 'Whoever has it may send the bytes.' }),
      headers: Type.Record(Type.String(), Type.String(), { description: 'To be sent with them.' }),
      expiresAt: Type.String({ format: 'date-time' }),
    }),
  },
  {
    examples: [
      {
        file: { ...exampleFile, state: 'expected' },
        upload: {
          method: 'PUT',
          url: `https://files.example.com/v1/files/direct/${exampleFile.id}?expires=1795608000&signature=9aUsm6iXb8o2Hb0r6m3Tq1VdQyZ5cKfW7nLp4sJxEgA`,
          headers: { 'content-type': 'image/png' },
          expiresAt: '2026-11-25T13:00:00.000Z',
        },
      },
    ],
  },
);

const query = Type.Object({
  expires: Type.Optional(Type.String({ maxLength: 32 })),
  unlocked: Type.Optional(Type.String({ maxLength: 8 })),
  signature: Type.Optional(Type.String({ maxLength: 64 })),
});

type DirectFace = Pick<Files, 'directUploads' | 'senderOf' | 'resourceOf' | 'urlOf'>;

/** Files that are declared first; their bytes come to a signed address, as to an object store. */
export const directRoutes =
  ({ directUploads, senderOf, resourceOf, urlOf }: DirectFace): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/',
      {
        config: { access: 'files:write', isIdempotent: true, showsSecret: true },
        schema: {
          summary: 'Begin a direct upload',
          description:
            'Declares a file and holds room for it. The bytes are sent to `upload.url` with `upload.headers`, without a token; the file is `stored` when they ' +
            'are there, and `rejected` where they are not what was declared. What does not come within 24 h is given up.',
          tags: fileTags,
          headers: folderTokenHeader,
          body: DirectIn,
          response: {
            201: DirectOut,
            ...refusals('empty', 'bad-request', 404, 'too-large', 'unsupported-type', 'locked', 'quota-exceeded'),
          },
        },
      },
      async (request, reply) => {
        const { size, type, sha256, ...fields } = request.body;
        const sender = await senderOf(callerOf(request), {
          ...{ address: addressOf(request), requestId: request.id, folderToken: request.headers['x-folder-token'] },
        });
        const wish = { size, type, sha256, fields: readFields(Object.entries(fields), 'body') };
        const { row, target } = await directUploads.create(sender, wish);
        const baseUrl = baseUrlOf(request);
        const { path, headers, expiresAt } = target;
        return reply
          .code(201)
          .header('location', `/v1/files/${row.id}`)
          .send({
            file: resourceOf(row, baseUrl),
            upload: { method: 'PUT', url: urlOf(path, baseUrl), headers: { ...headers }, expiresAt: toRfc3339(expiresAt) },
          });
      },
    );

    app.register(bytesRoute(directUploads));
  };

const bytesRoute =
  (directUploads: Files['directUploads']): FastifyPluginAsyncTypebox =>
  async (app) => {
    takeBodiesAsStreams(app);
    app.put(
      '/:id',
      {
        config: { access: 'public', takesAnyType: () => true, checksBodyItself: true },
        schema: {
          summary: 'Send the bytes of a direct upload',
          description:
            'The address is the `upload.url` of its beginning. Sent twice they are taken once; a body that is cut off changes nothing. 400 and 415 say that the ' +
            'file is rejected: the bytes are not what was declared.',
          tags: fileTags,
          consumes: ['application/octet-stream'],
          params: idOfFile,
          querystring: query,
          body: Type.String({ description: 'The bytes.', examples: ['…'] }),
          response: {
            200: Type.Null({ description: 'They are durable, and the file is `stored`. Its digest is the `ETag`.' }),
            ...refusals(
              'bad-link',
              'tenant-suspended',
              404,
              'gone',
              'conflict',
              'bad-request',
              'digest-mismatch',
              'unsupported-type',
              'locked',
            ),
          },
        },
      },
      async (request, reply) => {
        const incoming = { body: bodyStream(request), bytes: lengthOf(request) };
        const how = { requestId: request.id, address: addressOf(request) };
        const { sha256 } = await directUploads.take(request.params.id, request.query, incoming, how);
        return (reply as FastifyReply).code(200).header('etag', `"${sha256}"`).send(); // empty: `null` would be a body
      },
    );
  };

const lengthOf = ({ headers }: FastifyRequest): number | undefined =>
  headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
