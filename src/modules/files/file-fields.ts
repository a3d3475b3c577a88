import type { FileRow } from '../../database/tables.ts';
import { type Fault, Problem } from '../../foundation/problem.ts';
import { cleanName } from './file-names.ts';

/** What a sender says of a file besides its bytes. */
export interface FileFields {
  readonly name?: string;
  readonly title?: string;
  readonly description?: string;
  readonly category?: string;
  readonly language?: string;
  readonly provider?: string;
  readonly roles?: readonly string[];
  readonly folderId?: string;
  readonly visibility?: FileRow['visibility'];
}

/** The longest text of each field, in characters. */
export const fieldLengths = { title: 255, description: 4_000, category: 100, language: 35, provider: 100 } as const;
export const mostRoles = 50;
export const longestRole = 100;
export const visibilities = ['private', 'tenant', 'public'] as const satisfies readonly FileRow['visibility'][];

/** The names under which fields come, whatever the road: query, form, upload metadata, JSON. */
export const fieldNames = ['name', 'title', 'description', 'category', 'language', 'provider', 'roles', 'folderId', 'visibility'] as const;

type FieldName = (typeof fieldNames)[number];
type TextName = keyof typeof fieldLengths;

const isTextName = (name: FieldName): name is TextName => Object.hasOwn(fieldLengths, name);

/** Line breaks and tabs may stand in a description; no other control character anywhere. */
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
const lineBreaks = /[\t\n\r]/;

const lengthOf = (text: string): number => [...text].length;

const faultOfText = (name: TextName, text: string): string | undefined => {
  if (!text.isWellFormed() || controls.test(text) || (name !== 'description' && lineBreaks.test(text)))
    return 'holds characters that are no text';
  return lengthOf(text) > fieldLengths[name] ? `may have at most ${fieldLengths[name]} characters` : undefined;
};

const faultOfRoles = (roles: readonly string[]): string | undefined => {
  if (roles.length > mostRoles) return `may be at most ${mostRoles}`;
  const isBad = roles.some((role) => role === '' || lengthOf(role) > longestRole || controls.test(role) || lineBreaks.test(role));
  return isBad ? `each must have 1 to ${longestRole} characters` : undefined;
};

/**
 * The fields as they were given by texts, empty ones left out; `roles` may have several, all others one. Throws `bad-request` naming every
 * fault in that part of the request.
 */
export const readFields = (given: Iterable<readonly [string, string | readonly string[]]>, place: Fault['in']): FileFields => {
  const fields: { -readonly [Name in keyof FileFields]: FileFields[Name] } = {};
  const errors: Fault[] = [];
  const blame = (name: string, why: string) => void errors.push({ in: place, at: `/${name}`, why });

  const take = (name: FieldName, values: readonly string[]) => {
    const [value = ''] = values;
    if (name === 'roles') {
      const why = faultOfRoles(values.filter((role) => role !== ''));
      if (why === undefined) fields.roles = [...new Set(values.filter((role) => role !== '').map((role) => role.normalize('NFC')))];
      else blame(name, why);
      return;
    }
    if (values.length > 1) return blame(name, 'is there more than once');
    if (value === '') return;
    if (name === 'name') fields.name = cleanName(value, { in: place, at: '/name' });
    else if (name === 'folderId') fields.folderId = value;
    else if (name === 'visibility') {
      const visibility = visibilities.find((one) => one === value);
      if (visibility === undefined) blame(name, `must be one of ${visibilities.join(', ')}`);
      else fields.visibility = visibility;
    } else if (isTextName(name)) {
      const why = faultOfText(name, value);
      if (why === undefined) fields[name] = value;
      else blame(name, why);
    }
  };

  for (const [name, value] of given) {
    const known = fieldNames.find((one) => one === name);
    if (known === undefined) blame(name, 'is not known here');
    else take(known, typeof value === 'string' ? [value] : value);
  }
  if (errors.length > 0) {
    const [{ at, why } = { at: '', why: '' }] = errors;
    const more = errors.length === 1 ? '' : ` (and ${errors.length - 1} more, see \`errors\`)`;
    throw new Problem('bad-request', `The field ${at.slice(1)} ${why}${more}.`, { errors });
  }
  return fields;
};
