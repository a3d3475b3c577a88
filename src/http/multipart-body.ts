import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { hasOwnChunks, markOwnChunks } from '../foundation/own-chunks.ts';
import { Problem } from '../foundation/problem.ts';
import { boundaryOf, createFormParts, type FormParts } from './form-parts.ts';
import { tooLarge } from './json-body.ts';
import { bodyStream } from './stream-body.ts';

/** What `consumes` of a route says that takes forms with a file. */
export const multipartMediaType = 'multipart/form-data';

export interface MultipartRules {
  /** The names that text fields may have; any other part is refused. */
  readonly fields: readonly string[];
  /** Those of them that may come more than once. */
  readonly repeatable?: readonly string[];
  /** The name of the part with the file. */
  readonly fileField: string;
  readonly maxFieldBytes: number;
  /** Of all text fields together. */
  readonly maxFields: number;
}

export interface MultipartFile {
  /** As the client gave it: with a path perhaps, and any characters. */
  readonly name: string | undefined;
  readonly type: string | undefined;
  /** Fails where the client goes away, stalls, or the form breaks off. */
  readonly body: Readable;
}

export interface FileTaker<Taken> {
  /**
   * Reads `body` to its end, or rejects: then that is what the client gets, at once. `fields` are those that came before it, which may be
   * reason enough to refuse.
   */
  take(file: MultipartFile, fields: ReadonlyMap<string, readonly string[]>): Promise<Taken>;
  /** Undoes a `take` that was well, because what came behind the file is refused. */
  drop(taken: Taken): Promise<void>;
}

export interface MultipartBody<Taken> {
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** Absent where no part had the name of the file. */
  readonly file: { readonly taken: Taken } | undefined;
}

/**
 * Reads a form (RFC 7578) with text fields and at most one file, in whatever order they come. Rejects with `bad-request` or `too-large` where
 * it is not one; what was taken is dropped then.
 */
export const readMultipart = async <Taken>(
  request: FastifyRequest,
  rules: MultipartRules,
  taker: FileTaker<Taken>,
): Promise<MultipartBody<Taken>> => {
  const source = bodyStream(request);
  let file: { readonly taken: Taken } | undefined;
  try {
    const parts = createFormParts(source[Symbol.asyncIterator](), boundaryOf(request.headers['content-type']));
    const fields = new Map<string, string[]>();
    for (let head = await parts.nextPart(); head !== undefined; head = await parts.nextPart()) {
      if (head.name !== rules.fileField) {
        await readField(parts, head.name, fields, rules);
        continue;
      }
      if (file !== undefined) throw refused(head.name, 'may come only once');
      const body = streamOf(parts);
      if (hasOwnChunks(source)) markOwnChunks(body);
      file = { taken: await takeFile({ name: head.filename, type: head.type, body }, fields, taker) };
    }
    return { fields, file };
  } catch (error) {
    // Nobody reads on, so that nothing stands between the client and the refusal.
    source.on('error', () => undefined).destroy();
    if (file !== undefined) await taker.drop(file.taken);
    throw error;
  }
};

/** The bytes of the part that was just begun. */
const streamOf = (parts: FormParts): Readable => {
  const body = new Readable({
    highWaterMark: 64 * 1024,
    read() {
      parts.nextBytes().then(
        (bytes) => body.push(bytes ?? null),
        (error: Error) => body.destroy(error),
      );
    },
  });
  return body.on('error', () => undefined); // told to whoever reads it; nobody may
};

const takeFile = async <Taken>(
  file: MultipartFile,
  fields: ReadonlyMap<string, readonly string[]>,
  taker: FileTaker<Taken>,
): Promise<Taken> => {
  let isAtEnd = false;
  file.body.once('end', () => {
    isAtEnd = true;
  });
  const taken = await taker.take(file, fields);
  if (isAtEnd) return taken;
  await taker.drop(taken);
  throw new Error('A file of a form was taken without being read to its end.');
};

const readField = async (parts: FormParts, name: string, fields: Map<string, string[]>, rules: MultipartRules): Promise<void> => {
  if (!rules.fields.includes(name)) {
    throw refused(name, `is not known here: the bytes are the part \`${rules.fileField}\`, its fields ${rules.fields.join(', ')}`);
  }
  const values = fields.get(name) ?? [];
  if (values.length > 0 && !rules.repeatable?.includes(name)) throw refused(name, 'may come only once');
  const count = [...fields.values()].reduce((sum, { length }) => sum + length, 0);
  if (count >= rules.maxFields) throw new Problem('bad-request', `A form may have up to ${rules.maxFields} fields.`);
  values.push(await readText(parts, name, rules.maxFieldBytes));
  fields.set(name, values);
};

const readText = async (parts: FormParts, name: string, maxBytes: number): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for (let bytes = await parts.nextBytes(); bytes !== undefined; bytes = await parts.nextBytes()) {
    size += bytes.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(bytes);
  }
  try {
    return strictUtf8.decode(Buffer.concat(chunks));
  } catch {
    throw refused(name, 'is not UTF-8');
  }
};

/** A byte order mark is a character like any other: it may be what the client means. */
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `name` is the client's, so it is cut, and escaped for a JSON Pointer (RFC 6901 §3). */
const refused = (name: string, why: string): Problem => {
  const shown = name.slice(0, 100).toWellFormed();
  const at = `/${shown.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return new Problem('bad-request', `The part ${JSON.stringify(shown)} of the form ${why}.`, { errors: [{ in: 'body', at, why }] });
};
