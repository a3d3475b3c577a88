import { isUtf8 } from 'node:buffer';
import { Problem } from '../foundation/problem.ts';

/** What the headers of a part of a form say (RFC 7578 §4). */
export interface PartHead {
  readonly name: string;
  /** As the client gave it, with its path and whatever characters; absent where none or an empty one was given. */
  readonly filename: string | undefined;
  readonly type: string | undefined;
}

const broken = (why: string): Problem => new Problem('bad-request', `A part of the form is not understood: ${why}.`);

/** Clients send names as the bytes of their form, which is UTF-8 nearly always; what cannot be is taken as Latin-1, which always can. */
const textOf = (line: Buffer): string => line.toString(isUtf8(line) ? 'utf8' : 'latin1');

// A value in quotes may hold \" (curl); a lone backslash stands for itself, since browsers send `C:\a.txt` as it is.
const parameter = /\s*;\s*([\w!#$&+.^`|~*-]+)\s*=\s*(?:"((?:\\"|[^"])*)"|([^\s";]+))/y;

/** HTML writes these three, and no others, in percent form. */
const percentForms: Readonly<Record<string, string>> = { '%22': '"', '%0D': '\r', '%0A': '\n' };

const unquoted = (text: string): string =>
  text.replace(/\\(["\\])/g, '$1').replace(/%22|%0D|%0A/gi, (form) => percentForms[form.toUpperCase()] ?? form);

/** RFC 8187 §3.2: `UTF-8''a%20b.txt`. */
const readExtended = (text: string): string => {
  const [, charset, encoded] = /^(utf-8|iso-8859-1)'[\w-]*'(.*)$/i.exec(text) ?? [];
  if (charset === undefined || encoded === undefined) throw broken('filename* is not of the form of RFC 8187');
  try {
    if (charset.toLowerCase() === 'utf-8') return decodeURIComponent(encoded);
    return encoded.replace(/%([0-9a-f]{2})/gi, (_form, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  } catch {
    throw broken('filename* is not UTF-8');
  }
};

const readDisposition = (value: string): Map<string, string> => {
  const parameters = new Map<string, string>();
  const kind = /^\s*form-data(?=[\s;]|$)/i.exec(value)?.[0];
  if (kind === undefined) throw broken('its Content-Disposition is not form-data');
  parameter.lastIndex = kind.length;
  let end = kind.length;
  for (let match = parameter.exec(value); match !== null; match = parameter.exec(value)) {
    end = parameter.lastIndex;
    const [, name = '', quoted, token = ''] = match;
    if (parameters.has(name.toLowerCase())) throw broken(`its Content-Disposition has ${name} twice`);
    parameters.set(name.toLowerCase(), quoted === undefined ? token : unquoted(quoted));
  }
  if (!/^\s*;?\s*$/.test(value.slice(end))) throw broken('its Content-Disposition is malformed');
  return parameters;
};

const plainEncodings = new Set(['7bit', '8bit', 'binary']);

/** Throws `bad-request` where the lines are not those of a part of a form. */
export const readPartHead = (lines: readonly Buffer[]): PartHead => {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):(.*)$/s.exec(textOf(line)) ?? [];
    if (name === undefined || value === undefined) throw broken('a line of its headers is malformed');
    if (headers.has(name.toLowerCase())) throw broken(`it has the header ${name} twice`);
    headers.set(name.toLowerCase(), value.trim());
  }
  const encoding = headers.get('content-transfer-encoding');
  // RFC 7578 §4.7 did away with it; who encodes all the same would have other bytes stored than it means.
  if (encoding !== undefined && !plainEncodings.has(encoding.toLowerCase()))
    throw broken(`its bytes are encoded (${encoding.slice(0, 40)})`);
  const disposition = headers.get('content-disposition');
  if (disposition === undefined) throw broken('it has no Content-Disposition');
  const parameters = readDisposition(disposition);
  const name = parameters.get('name');
  if (name === undefined) throw broken('it has no name');
  const extended = parameters.get('filename*');
  const filename = extended === undefined ? parameters.get('filename') : readExtended(extended);
  return { name, filename: filename || undefined, type: headers.get('content-type') || undefined };
};
