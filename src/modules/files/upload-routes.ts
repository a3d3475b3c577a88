import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { addressOf, callerOf } from '../../http/access.ts';
import { baseUrlOf } from '../../http/base-url.ts';
import { refusals } from '../../http/problem-reply.ts';
import { bodyStream, takeBodiesAsStreams } from '../../http/stream-body.ts';
import { readFields } from './file-fields.ts';
import { FileOut, fieldSchemas, fileTags, folderTokenHeader } from './file-schemas.ts';
import type { Files } from './files.ts';

const formType = 'multipart/form-data';

/** Where bytes come in. Every body is a stream here, also JSON: it is a file. */
export const uploadRoutes =
  ({ receiving, senderOf, resourceOf }: Pick<Files, 'receiving' | 'senderOf' | 'resourceOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    takeBodiesAsStreams(app);

    app.post(
      '/',
      {
        config: { access: 'files:write', takesAnyType: () => true, checksBodyItself: true },
        schema: {
          summary: 'Upload a file',
          description:
            'As `multipart/form-data` (part `file` and any of the fields, before or after it), or with any other content type: then the body is the bytes and the ' +
            'fields stand in the query. A 201 says that the bytes are durable. `Repr-Digest: sha-256=:…:` is checked.',
          tags: fileTags,
          consumes: ['application/octet-stream', formType],
          headers: Type.Intersect([folderTokenHeader, Type.Object({ 'repr-digest': Type.Optional(Type.String()) })]),
          querystring: Type.Partial(Type.Object(fieldSchemas)),
          body: Type.String({ description: 'The bytes.', examples: ['…'] }),
          response: { 201: FileOut, ...refusals('empty', 'digest-mismatch', 'bad-request', 'locked', 'quota-exceeded', 404) },
        },
      },
      async (request, reply) => {
        const sender = await senderOf(callerOf(request), originOf(request));
        const fields = readFields(Object.entries(request.query), 'query');
        const bytes = await receiving.takeBytes(sender, {
          body: bodyStream(request),
          declaredType: request.mediaType,
          declaredBytes: lengthOf(request),
          sha256: undefined,
        });
        const row = await receiving.keep(sender, bytes, fields);
        return reply
          .code(201)
          .header('location', `/v1/files/${row.id}`)
          .send(resourceOf(row, baseUrlOf(request)));
      },
    );
  };

const lengthOf = ({ headers }: FastifyRequest): number | undefined =>
  headers['content-length'] === undefined ? undefined : Number(headers['content-length']);

const originOf = (request: FastifyRequest) => ({
  address: addressOf(request),
  requestId: request.id,
  folderToken: request.headers['x-folder-token'],
});
