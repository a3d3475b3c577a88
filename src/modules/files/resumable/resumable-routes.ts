import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { addressOf, callerOf } from '../../../http/access.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { bodyStream, takeBodiesAsStreams } from '../../../http/stream-body.ts';
import { fileTags, folderTokenHeader } from '../file-schemas.ts';
import type { Files } from '../files.ts';
import type { Sender } from '../receiving/receive-file.ts';
import {
  announcedLength,
  badHeader,
  bytesIn,
  checksumAlgorithms,
  checksumIn,
  chunkType,
  concatIn,
  tusExtensions,
  tusVersion,
} from './tus-headers.ts';
import type { FoundUpload } from './upload-store.ts';
import type { Progress } from './uploads.ts';

const idOfUpload = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });

const version = { 'tus-resumable': Type.Optional(Type.String({ description: `\`${tusVersion}\`. Demanded.`, examples: [tusVersion] })) };
const number = (description: string) => Type.Optional(Type.String({ description }));
const checksum = { 'upload-checksum': number('`sha1` or `sha256`, a space, the digest in Base64: of the body of this request.') };

const creationHeaders = Type.Object({
  ...folderTokenHeader.properties,
  ...version,
  ...checksum,
  'upload-length': number('How many bytes there will be.'),
  'upload-defer-length': number('`1`: the length is told later, with a PATCH.'),
  'upload-metadata': number(
    'Pairs of a key and its Base64 value, separated by commas: `filename`, `filetype`, and the fields of a file by their names (`roles` as a JSON array, or separated by commas). Other keys are kept and mean nothing here.',
  ),
  'upload-concat': number('`partial`, or `final;` and the addresses of partial uploads, separated by spaces.'),
});

const chunkHeaders = Type.Object({
  ...folderTokenHeader.properties,
  ...version,
  ...checksum,
  'upload-offset': number('Where these bytes go on.'),
  'upload-length': number('How many bytes there will be, where it was not told before.'),
});

const refusalsOfBytes = ['bad-request', 'empty', 'locked', 'unsupported-version', 'checksum-mismatch', 'quota-exceeded', 404] as const;
const refusalsOfChunk = [...refusalsOfBytes, 'conflict', 'gone'] as const;

const Bytes = Type.String({ description: 'The bytes.', examples: ['…'] });
const Nothing = Type.Null({ description: 'Done.' });

/** tus 1.0.0: uploads that go on where they were cut off. The upload's id is the id of its file. */
export const resumableRoutes =
  ({ uploads, senderOf }: Pick<Files, 'uploads' | 'senderOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    takeBodiesAsStreams(app);

    app.addHook('onRequest', (_request, reply, done) => {
      reply.header('tus-resumable', tusVersion);
      done();
    });
    // Behind the check of who calls, before a byte of the body is read.
    app.addHook('preParsing', (request, _reply, _payload, done) => {
      if (request.method === 'OPTIONS' || request.headers['tus-resumable'] === tusVersion) return done();
      const detail = `Tus-Resumable must be ${tusVersion}.`;
      done(new Problem('unsupported-version', detail, { headers: { 'tus-version': tusVersion } }));
    });

    const sender = (request: FastifyRequest): Promise<Sender> =>
      senderOf(callerOf(request), {
        address: addressOf(request),
        requestId: request.id,
        folderToken: request.headers['x-folder-token'],
      });

    /** The headers that tell where an upload stands. */
    const show = (reply: FastifyReply, { upload, offset, isStored }: Progress): FastifyReply => {
      if (offset !== undefined) reply.header('upload-offset', String(offset));
      if (isStored) return reply.header('content-location', `/v1/files/${upload.id}`);
      return reply.header('upload-expires', new Date(upload.expiresAt).toUTCString());
    };

    const append = async (request: FastifyRequest, reply: FastifyReply, from: Sender, upload: FoundUpload) => {
      const { headers } = request;
      if (request.mediaType !== chunkType) throw new Problem('unsupported-type', `The bytes of an upload come as ${chunkType}.`);
      const offset = bytesIn(headers, 'Upload-Offset');
      if (offset === undefined) throw badHeader('Upload-Offset', 'is missing');
      const progress = await uploads.append(from, upload, {
        offset,
        body: bodyStream(request),
        bytes: bytesIn(headers, 'Content-Length'),
        length: bytesIn(headers, 'Upload-Length'),
        checksum: checksumIn(headers),
      });
      return show(reply, progress).code(204).send();
    };

    const terminate = async (reply: FastifyReply, from: Sender, upload: FoundUpload) => {
      await uploads.terminate(from, upload);
      return reply.code(204).send();
    };

    const tell = async (reply: FastifyReply, from: Sender, upload: FoundUpload) => {
      const { length, metadata, concatenation } = upload;
      const progress = await uploads.look(from, upload);
      if (length === null) reply.header('upload-defer-length', '1');
      else reply.header('upload-length', String(length));
      if (metadata !== null) reply.header('upload-metadata', metadata);
      if (concatenation !== null) reply.header('upload-concat', concatenation);
      return show(reply, progress).header('cache-control', 'no-store').code(200).send();
    };

    const options = async (_request: FastifyRequest, reply: FastifyReply) =>
      reply
        .code(204)
        .header('tus-version', tusVersion)
        .header('tus-extension', tusExtensions)
        .header('tus-max-size', String(uploads.maxFileBytes))
        .header('tus-checksum-algorithm', checksumAlgorithms)
        .send();
    const optionsRoute = {
      config: { access: 'public', cors: { preflightContinue: true } },
      schema: { summary: 'What the protocol can do here', tags: fileTags, hide: true },
    } as const;
    app.options('/', optionsRoute, options);
    app.options('/:id', optionsRoute, options);

    app.post(
      '/',
      {
        config: { access: 'files:write', checksBodyItself: true },
        schema: {
          summary: 'Begin a resumable upload',
          description:
            'tus 1.0.0 with creation, creation-with-upload, creation-defer-length, termination, expiration, checksum and concatenation. `Location` is where the bytes ' +
            'go (PATCH) and where the upload tells its offset (HEAD, `Upload-Offset`); its id is the id of the file, which is `expected` meanwhile. ' +
            'OPTIONS tells what is spoken here. An upload waits 24 hours for its next bytes.',
          tags: fileTags,
          consumes: [chunkType],
          headers: creationHeaders,
          body: Bytes,
          response: {
            201: Nothing,
            ...refusals(...refusalsOfBytes),
          },
        },
      },
      async (request, reply) => {
        const { headers } = request;
        const concat = concatIn(headers);
        const wish = {
          length: concat?.kind === 'final' ? undefined : announcedLength(headers),
          metadata: headers['upload-metadata'],
          concat,
        };
        const from = await sender(request);
        let progress = await uploads.create(from, wish);
        const { id } = progress.upload;
        if (request.body !== undefined && concat?.kind !== 'final') {
          const checksum = checksumIn(headers);
          try {
            const chunk = { offset: 0, body: bodyStream(request), bytes: bytesIn(headers, 'Content-Length'), checksum };
            progress = await uploads.append(from, await uploads.find(from, id), chunk);
          } catch (error) {
            // Who is not told the address cannot go on with it.
            const left = await uploads.find(from, id).catch(() => undefined);
            if (left !== undefined) await uploads.terminate(from, left);
            throw error;
          }
        }
        return show(reply.header('location', `/v1/files/resumable/${id}`), progress)
          .code(201)
          .send();
      },
    );

    app.head(
      '/:id',
      {
        config: { access: 'files:write' },
        schema: { summary: 'Where a resumable upload stands', tags: fileTags, params: idOfUpload, headers: folderTokenHeader, hide: true },
      },
      async (request, reply) => {
        const from = await sender(request);
        return await tell(reply, from, await uploads.find(from, request.params.id));
      },
    );

    app.patch(
      '/:id',
      {
        config: { access: 'files:write', checksBodyItself: true },
        schema: {
          summary: 'Go on with a resumable upload',
          description:
            'The bytes are appended at `Upload-Offset` and durable when the answer comes; what came before a connection broke stays. The last ones make it a file: then ' +
            '`Content-Location` names it. While one request sends, another one is 423.',
          tags: fileTags,
          consumes: [chunkType],
          params: idOfUpload,
          headers: chunkHeaders,
          body: Bytes,
          response: {
            204: Nothing,
            ...refusals(...refusalsOfChunk),
          },
        },
      },
      async (request, reply) => {
        const from = await sender(request);
        return await append(request, reply, from, await uploads.find(from, request.params.id));
      },
    );

    app.delete(
      '/:id',
      {
        config: { access: 'files:write' },
        schema: {
          summary: 'Give up a resumable upload',
          description: 'What came of it is removed. Of a finished one only the upload ends: its file stays, and has a DELETE of its own.',
          tags: fileTags,
          params: idOfUpload,
          headers: Type.Object({ ...folderTokenHeader.properties, ...version }),
          response: { 204: Nothing, ...refusals('gone', 'locked', 'unsupported-version', 404) },
        },
      },
      async (request, reply) => {
        const from = await sender(request);
        return await terminate(reply, from, await uploads.find(from, request.params.id));
      },
    );

    app.post(
      '/:id',
      {
        config: { access: 'files:write', checksBodyItself: true },
        schema: {
          summary: 'PATCH, DELETE or HEAD of a resumable upload',
          description: '`X-HTTP-Method-Override` names which, for clients that can send GET and POST only.',
          tags: fileTags,
          consumes: [chunkType],
          params: idOfUpload,
          headers: Type.Object({ ...chunkHeaders.properties, 'x-http-method-override': Type.Optional(Type.String()) }),
          body: Bytes,
          response: {
            204: Nothing,
            ...refusals(...refusalsOfChunk, 405),
          },
        },
      },
      async (request, reply) => {
        const from = await sender(request);
        const upload = await uploads.find(from, request.params.id);
        switch (request.headers['x-http-method-override']?.toUpperCase()) {
          case 'PATCH':
            return await append(request, reply, from, upload);
          case 'DELETE':
            return await terminate(reply, from, upload);
          case 'HEAD':
            return await tell(reply, from, upload);
          default:
            throw new Problem('method-not-allowed', 'Bytes come by PATCH.', { headers: { allow: 'DELETE, HEAD, OPTIONS, PATCH' } });
        }
      },
    );
  };
