import { Problem } from '../../../foundation/problem.ts';
import { hasSignature, sniffBinary, sniffText } from './signatures.ts';
import { createTextCheck, isTextType, type TextEncoding, textEncodingOf } from './text-check.ts';
import { declaredType, goTogether, plainType } from './type-names.ts';
import { xmlRootOf } from './xml-root.ts';

/** How many first bytes are enough to judge: the entries of an office document and the comments before an SVG's root lie within. */
export const judgedBytes = 64 * 1024;

export const unknownType = 'application/octet-stream';

interface Look {
  readonly head: Uint8Array;
  readonly isWhole: boolean;
  readonly declared: string | undefined;
}

const contradiction = (declared: string, found: string): Problem =>
  new Problem('unsupported-type', `The file was declared as ${declared}, but ${found}.`, { members: { declared } });

/** Text formats that are no `text/*`: being text is no contradiction to them, but it does not show them either. */
const otherTexts: readonly RegExp[] = [
  /^(application|image|model)\/[a-z0-9.-]+\+(json|xml|yaml)$/,
  /^application\/(x-)?(ndjson|jsonl|jsonlines|json5|yaml|toml|sql|graphql|subrip|tex|latex|troff|typescript)$/,
  /^application\/(x-)?(sh|shellscript|php|httpd-php|perl|python|ruby)$/,
  /^application\/(pgp-(encrypted|signature|keys)|pkcs8|x-pem-file|x-x509-ca-cert|vnd\.apple\.mpegurl|x-mpegurl)$/,
  /^(audio\/(x-)?mpegurl|model\/(stl|obj))$/,
];
const isOtherText = (type: string): boolean => otherTexts.some((pattern) => pattern.test(type));

/** Windows calls a CSV what it opens it with, and TypeScript after the transport stream that ends in `.ts` too. */
const misnamedText = new Map([
  ['application/vnd.ms-excel', 'text/csv'],
  ['video/mp2t', 'text/plain'],
]);

const charactersOf = (head: Uint8Array, encoding: TextEncoding): string => {
  const text = new TextDecoder(encoding).decode(head);
  return text.startsWith('\ufeff') ? text.slice(1) : text;
};

/** What a text is that was declared as one. */
const declaredText = ({ head, isWhole }: Look, declared: string, text: string): string => {
  if (declared === 'image/svg+xml' && xmlRootOf(text) !== 'svg') throw contradiction(declared, 'its root element is not <svg>');
  if (declared === 'application/json') {
    const check = createTextCheck({ type: declared, head, isWhole });
    if (check === undefined || !check.write(head) || (isWhole && !check.end())) {
      throw contradiction(declared, 'it does not begin and end as JSON does, or is not in UTF-8');
    }
  }
  return declared;
};

const judgeText = (look: Look, encoding: TextEncoding): string => {
  const { head, declared } = look;
  const text = charactersOf(head.subarray(0, 64), encoding);
  const whole = (): string => charactersOf(head, encoding);
  const signed = sniffText(text);
  if (signed !== undefined && signed !== 'application/xml') {
    const isFine = declared === undefined || goTogether(signed, declared) || (signed.startsWith('text/') && isTextType(declared));
    if (isFine) return signed;
    throw contradiction(declared, `its bytes say ${signed}`);
  }
  if (declared !== undefined && isTextType(declared)) {
    if (declared !== 'application/xml' || signed !== undefined)
      return declaredText(look, declared, declared === 'image/svg+xml' ? whole() : text);
    // Without the declaration that XML may leave out, its root must show.
    if (xmlRootOf(whole()) === undefined) throw contradiction(declared, 'it has no root element');
    return declared;
  }
  const misnamed = declared === undefined ? undefined : misnamedText.get(declared);
  if (declared !== undefined && misnamed === undefined && !isOtherText(declared)) throw contradiction(declared, 'its bytes are plain text');
  // Undeclared: a picture is recognised with or without XML's declaration, so that a list of allowed types judges both alike.
  if (declared === undefined && /^\s*</.test(text) && xmlRootOf(whole()) === 'svg') return 'image/svg+xml';
  return misnamed ?? signed ?? 'text/plain';
};

const judgeBinary = async ({ head, isWhole, declared }: Look): Promise<string> => {
  const sniffed = await sniffBinary({ head, isWhole });
  if (declared === undefined) return sniffed ?? unknownType;
  if (sniffed !== undefined) {
    // The container of legacy Office tells no more when its directory lies further back: then the declaration does.
    if (goTogether(sniffed, declared)) return sniffed === 'application/x-cfb' ? declared : sniffed;
    // XML in an encoding that is not known here (Latin-1).
    if (sniffed === 'application/xml' && isTextType(declared)) return declaredText({ head, isWhole, declared }, declared, latin1(head));
    throw contradiction(declared, `its bytes say ${sniffed}`);
  }
  if (isTextType(declared) || isOtherText(declared)) throw contradiction(declared, 'its bytes are no text in UTF-8 or UTF-16');
  if (await hasSignature(declared)) throw contradiction(declared, 'its bytes are not of that type');
  return unknownType;
};

const latin1 = (head: Uint8Array): string => Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');

/**
 * The type of a file by its first bytes (`head`: all of it, or at least `judgedBytes`), never by its name. By signature; a text without one
 * is what it was declared to be, or `text/plain`; the rest is `application/octet-stream`. Throws `unsupported-type` where the declaration
 * contradicts. A text is judged to its end by `createTextCheck`.
 */
export const judgeType = async (
  head: Uint8Array,
  { isWhole, declared }: { isWhole: boolean; declared: string | undefined },
): Promise<string> => {
  const look = { head, isWhole, declared: declaredType(declared) };
  // Most cheaply first: a text needs no look at two hundred signatures, most of which a text can begin with by chance.
  const encoding = textEncodingOf(head, isWhole);
  return encoding === undefined ? await judgeBinary(look) : judgeText(look, encoding);
};

/** Whether a type (as `judgeType` says it) is on a list of types and patterns such as `image/*`; each by any of its names. */
export const isAllowed = (type: string, allowed: readonly string[]): boolean =>
  allowed.some((entry) => {
    const pattern = plainType(entry);
    return pattern === '*/*' || (pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type);
  });

const inlineTypes = new Set([
  'image/jpeg',
  'image/png',
  'image/apng',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/bmp',
  'image/x-icon',
  'audio/mpeg',
  'audio/mp4',
  'audio/aac',
  'audio/ogg',
  'audio/flac',
  'audio/wav',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
  'application/pdf',
  'text/plain',
]);

/** Whether a browser may show it in a page of ours. Never what can carry a script: HTML, SVG, XML. */
export const isInlineType = (type: string): boolean => inlineTypes.has(type);

export const notAllowed = (type: string) =>
  new Problem(
    'unsupported-type',
    type === unknownType
      ? `What these bytes are cannot be told (${type}), and such files are not taken here.`
      : `These bytes are ${type}, and such files are not taken here.`,
    { members: { found: type } },
  );

/** `judgeType`, which throws `unsupported-type` also where such files are not taken. */
export const judgeAllowed = async (
  head: Uint8Array,
  how: { isWhole: boolean; declared: string | undefined },
  allowed: readonly string[],
): Promise<string> => {
  const type = await judgeType(head, how);
  if (!isAllowed(type, allowed)) throw notAllowed(type);
  return type;
};
