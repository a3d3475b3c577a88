import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { addressOf, callerOf } from '../../../http/access.ts';
import { baseUrlOf } from '../../../http/base-url.ts';
import type { StreamKey } from '../../../http/idempotency.ts';
import { type MultipartRules, multipartMediaType, readMultipart } from '../../../http/multipart-body.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { digestOf } from '../../../http/repr-digest.ts';
import { bodyStream, takeBodiesAsStreams, wholeBody } from '../../../http/stream-body.ts';
import { type FileFields, fieldNames, mostRoles, readFields } from '../file-fields.ts';
import { FileOut, fieldSchemas, fileTags, folderTokenHeader } from '../file-schemas.ts';
import type { Files } from '../files.ts';
import type { KeptBytes, Receiving, Sender } from './receive-file.ts';

const digestHeaders = Type.Object({
  'repr-digest': Type.Optional(Type.String({ description: 'RFC 9530, `sha-256=:…:`; not with a form.' })),
  'content-digest': Type.Optional(Type.String({ description: 'The same for a body that comes in one message.' })),
});

/** Where bytes come in. Every body is a stream here, also JSON: it is a file. */
export const uploadRoutes =
  ({ receiving, uploaderOf, resourceOf }: Pick<Files, 'receiving' | 'uploaderOf' | 'resourceOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    takeBodiesAsStreams(app);

    app.post(
      '/',
      {
        config: { access: 'files:write', takesAnyType: () => true, checksBodyItself: true, isIdempotent: 'when-read' },
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
        const sender = await uploaderOf(callerOf(request), originOf(request));
        const take = request.mediaType === multipartMediaType ? takeForm : takeRaw;
        const key = request.streamKey;
        const taker = key?.isAnswered === true ? comparing : receiving;
        const { bytes, fields } = await take(request, Object.entries(request.query), taker, sender);
        if (key !== undefined && (await isAnsweredBy(key, { bytes, fields }, taker))) return reply;
        const row = await receiving.keep(sender, bytes, fields);
        return reply
          .code(201)
          .header('location', `/v1/files/${row.id}`)
          .send(resourceOf(row, baseUrlOf(request)));
      },
    );
  };

/** For bytes that came before: they are read, and kept nowhere. */
const comparing: Pick<Receiving, 'takeBytes' | 'drop'> = {
  async takeBytes(_sender, { body }) {
    const hash = createHash('sha256');
    if (!(body instanceof Readable)) hash.update(body);
    else for await (const chunk of body) hash.update(chunk as Buffer);
    return { id: '', type: '', size: 0, sha256: hash.digest('hex') };
  },
  drop: async () => undefined,
};

/** Forms of the same file and fields are the same request: their boundaries are new each time. */
const isAnsweredBy = async (key: StreamKey, { bytes, fields }: TakenUpload, { drop }: Pick<Receiving, 'drop'>): Promise<boolean> => {
  try {
    const isAnswered = await key.settle(JSON.stringify([bytes.sha256, Object.entries(fields).sort()]));
    if (isAnswered) await drop(bytes);
    return isAnswered;
  } catch (error) {
    await drop(bytes);
    throw error;
  }
};

const originOf = (request: FastifyRequest) => ({
  address: addressOf(request),
  requestId: request.id,
  folderToken: request.headers['x-folder-token'],
});

// The two forms in which a file comes in one request: as the body itself, or as a part of a form.

/** What came; the bytes are durable, and are to be kept or dropped. */
interface TakenUpload {
  readonly bytes: KeptBytes;
  readonly fields: FileFields;
}

type Texts = readonly (readonly [string, string | readonly string[]])[];

type TakeUpload = (
  request: FastifyRequest,
  query: Texts,
  receiving: Pick<Receiving, 'takeBytes' | 'drop'>,
  sender: Sender,
) => Promise<TakenUpload>;

const lengthOf = ({ headers }: FastifyRequest): number => Number(headers['content-length'] ?? 0);

/** The body is the bytes, the fields stand in the query. */
const takeRaw: TakeUpload = async (request, query, receiving, sender) => {
  const { 'content-encoding': encoding } = request.headers;
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Problem('unsupported-type', 'Bodies are taken as they are: without Content-Encoding.');
  }
  const fields = readFields(query, 'query');
  const digests = [digestOf(request.headers, 'repr-digest'), digestOf(request.headers, 'content-digest')];
  const [sha256, other = sha256] = digests.filter((digest) => digest !== undefined);
  if (other !== sha256) throw new Problem('digest-mismatch', 'Repr-Digest and Content-Digest do not name the same bytes.');
  const bytes = await receiving.takeBytes(sender, {
    body: wholeBody(request) ?? bodyStream(request),
    declaredType: request.mediaType,
    declaredBytes: lengthOf(request),
    sha256,
    folderId: fields.folderId,
  });
  return { bytes, fields };
};

const fileField = 'file';
const maxFieldBytes = 16 * 1024;
const maxFields = fieldNames.length + mostRoles;

const formRules: MultipartRules = { fields: fieldNames, repeatable: ['roles'], fileField, maxFieldBytes, maxFields };

/** More than what a form can have around its file: each field of its greatest length, with headers of theirs. */
const aroundFileBytes = (maxFields + 2) * (maxFieldBytes + 20 * 1024);

const inBothPlaces = (name: string): Problem => {
  const why = 'stands in the query and in the form';
  return new Problem('bad-request', `The field ${name} ${why}.`, { errors: [{ in: 'query', at: `/${name}`, why }] });
};

/** Part `file`, and the other fields before or behind it, or in the query. A name among the fields comes before that of the part. */
const takeForm: TakeUpload = async (request, query, receiving, sender) => {
  for (const header of ['repr-digest', 'content-digest'] as const) {
    // It would be that of the whole form, which nobody keeps: better refused than not checked.
    if (request.headers[header] !== undefined) throw digestOfForm(header);
  }
  const fieldsIn = (form: ReadonlyMap<string, readonly string[]>): FileFields => {
    const [twice] = query.filter(([name]) => form.has(name));
    if (twice !== undefined) throw inBothPlaces(twice[0]);
    return { ...readFields(query, 'query'), ...readFields(form, 'body') };
  };
  /** The fields, and the part's own name where they have none. */
  const named = (form: ReadonlyMap<string, readonly string[]>, filename: string | undefined): FileFields => {
    const fields = fieldsIn(form);
    return fields.name !== undefined || filename === undefined ? fields : { ...readFields([['name', filename]], 'body'), ...fields };
  };
  let filename: string | undefined;
  const { fields, file } = await readMultipart<KeptBytes>(request, formRules, {
    async take({ name, type, body }, before) {
      filename = name;
      const { folderId } = fieldsIn(before);
      const declaredBytes = lengthOf(request) - aroundFileBytes;
      return await receiving.takeBytes(sender, { body, declaredType: type, declaredBytes, folderId });
    },
    drop: receiving.drop,
  });
  if (file === undefined) {
    throw new Problem('bad-request', `The form has no part \`${fileField}\`.`, {
      errors: [{ in: 'body', at: `/${fileField}`, why: 'is missing' }],
    });
  }
  try {
    return { bytes: file.taken, fields: named(fields, filename) };
  } catch (error) {
    await receiving.drop(file.taken);
    throw error;
  }
};

const digestOfForm = (header: 'repr-digest' | 'content-digest'): Problem => {
  const why = 'is of the whole form, of which only the file is kept';
  return new Problem('bad-request', 'Send the bytes as the body itself where their digest is to be checked.', {
    errors: [{ in: 'header', at: `/${header}`, why }],
  });
};
