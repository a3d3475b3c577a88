import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { addressOf, callerOf } from '../../http/access.ts';
import { baseUrlOf } from '../../http/base-url.ts';
import { multipartMediaType } from '../../http/multipart-body.ts';
import { refusals } from '../../http/problem-reply.ts';
import { takeBodiesAsStreams } from '../../http/stream-body.ts';
import { FileOut, fieldSchemas, fileTags, folderTokenHeader } from './file-schemas.ts';
import type { Files } from './files.ts';
import { takeForm, takeRaw } from './upload-bodies.ts';

const digestHeaders = Type.Object({
  'repr-digest': Type.Optional(Type.String({ description: 'RFC 9530, `sha-256=:…:`; not with a form.' })),
  'content-digest': Type.Optional(Type.String({ description: 'The same for a body that comes in one message.' })),
});

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
            'As `multipart/form-data` (part `file` and any of the fields, before or after it; fields may stand in the query as well, each in one of ' +
            'both places), or with any other content type: then the body is the bytes and the fields stand in the query. A 201 says that the bytes are ' +
            'durable. What can be refused by the head is, before `100 Continue`.',
          tags: fileTags,
          consumes: ['application/octet-stream', multipartMediaType],
          headers: Type.Intersect([folderTokenHeader, digestHeaders]),
          querystring: Type.Partial(Type.Object(fieldSchemas)),
          body: Type.String({ description: 'The bytes.', examples: ['…'] }),
          response: { 201: FileOut, ...refusals('empty', 'digest-mismatch', 'bad-request', 'locked', 'quota-exceeded', 'too-large', 404) },
        },
      },
      async (request, reply) => {
        const sender = await senderOf(callerOf(request), originOf(request));
        const take = request.mediaType === multipartMediaType ? takeForm : takeRaw;
        const { bytes, fields } = await take(request, Object.entries(request.query), receiving, sender);
        const row = await receiving.keep(sender, bytes, fields);
        return reply
          .code(201)
          .header('location', `/v1/files/${row.id}`)
          .send(resourceOf(row, baseUrlOf(request)));
      },
    );
  };

const originOf = (request: FastifyRequest) => ({
  address: addressOf(request),
  requestId: request.id,
  folderToken: request.headers['x-folder-token'],
});
