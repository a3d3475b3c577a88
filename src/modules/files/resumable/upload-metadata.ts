import { Buffer } from 'node:buffer';
import { type Fault, Problem } from '../../../foundation/problem.ts';
import { type FileFields, fieldNames, readFields } from '../file-fields.ts';

/** What `Upload-Metadata` says of the file. */
export interface UploadMetadata {
  readonly fields: FileFields;
  readonly declaredType: string | undefined;
}

const place = (why: string): Fault => ({ in: 'header', at: '/upload-metadata', why });

const refuse = (why: string): Problem =>
  new Problem('bad-request', `Upload-Metadata ${why}.`, { errors: [place(`${why} (tus 1.0.0, Creation)`)] });

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
const keyPattern = /^[!-+\--~]+$/; // visible ASCII without the comma

const textOf = (key: string, value: string): string => {
  if (!base64.test(value)) throw refuse(`has a value that is not Base64, for ${key}`);
  const bytes = Buffer.from(value, 'base64');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse(`has a value that is not UTF-8, for ${key}`);
  }
};

/** Key and value, separated by a space; the value (and the space) may be missing. */
const pairsIn = (header: string): Map<string, string> => {
  const pairs = new Map<string, string>();
  for (const part of header.split(',')) {
    const [key = '', value = '', ...more] = part.trim().split(' ');
    if (key === '' && pairs.size === 0 && !header.includes(',')) continue; // an empty header says nothing
    if (!keyPattern.test(key) || more.length > 0) throw refuse('is not a list of pairs separated by commas');
    if (pairs.has(key)) throw refuse(`names ${key} twice`);
    pairs.set(key, textOf(key, value));
  }
  return pairs;
};

/** A JSON array of texts, or texts separated by commas: a key may stand in the header once only. */
const rolesIn = (text: string): readonly string[] => {
  if (!text.startsWith('[')) return text.split(',').map((role) => role.trim());
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((role) => typeof role === 'string')) return list;
  } catch {
    // refused below
  }
  throw refuse('has `roles` that are neither a JSON array of texts nor separated by commas');
};

/**
 * The fields of a file under their own names, besides `filename` and `filetype` (or `type`), as clients write them. Other keys are the client's
 * own: they are kept and given back, and mean nothing here. Throws `bad-request`.
 */
export const readMetadata = (header: string | undefined): UploadMetadata => {
  const pairs = header === undefined ? new Map<string, string>() : pairsIn(header);
  const fields = fieldNames.flatMap((name): [string, string | readonly string[]][] => {
    const value = pairs.get(name);
    if (value === undefined) return [];
    return [[name, name === 'roles' ? rolesIn(value) : value]];
  });
  const filename = pairs.get('filename');
  if (filename !== undefined && !pairs.get('name')) fields.push(['name', filename]);
  const declaredType = (pairs.get('filetype') || pairs.get('type') || '').split(';', 1)[0]?.trim().toLowerCase();
  return {
    fields: readFields(new Map(fields), 'header'),
    declaredType: declaredType === '' ? undefined : declaredType,
  };
};
