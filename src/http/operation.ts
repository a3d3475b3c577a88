import { type OauthErrorCode, oauthErrors } from '../foundation/oauth-errors.ts';
import { type ProblemKind, problems } from '../foundation/problem.ts';
import { isBesideEdge } from './admission.ts';
import { exampleOf } from './example-of.ts';
import { mediaTypesTaken } from './media-types.ts';
import { statusTitles } from './node-http.ts';
import { exampleOauthError, isOauthAddress, oauthCodeOf, oauthCodesKeyword } from './oauth-refusal.ts';
import { kindsKeyword, problemMediaType } from './problem-reply.ts';
import type { KnownRoute } from './route-table.ts';

/** A schema as an author wrote it, as far as it is read here. */
type Schema = Readonly<Record<string, unknown>>;

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly [member: string]: unknown;
}

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null;

/** The document's own copy: examples move beside the schema, our keywords go, and tuples become those of JSON Schema 2020-12. */
const published = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(published);
  if (!isSchema(schema)) return schema;
  const entries = Object.entries(schema).filter(([name]) => name !== kindsKeyword);
  const copy = Object.fromEntries(entries.map(([name, value]) => [name, name === 'examples' ? value : published(value)]));
  if (!Array.isArray(copy.items)) return copy;
  const { items, additionalItems, ...rest } = copy;
  return { ...rest, prefixItems: items, ...(additionalItems === undefined ? {} : { items: additionalItems }) };
};

const media = (schema: unknown): Record<string, unknown> => {
  const { examples, ...shape } = isSchema(schema) ? schema : {};
  const list = Array.isArray(examples) && examples.length > 0 ? examples : [exampleOf(schema)];
  const shown =
    list.length === 1
      ? { example: list[0] }
      : { examples: Object.fromEntries(list.map((value, index) => [`example-${index + 1}`, { value }])) };
  return { schema: published(shape), ...shown };
};

/** The schema of each media type: `{ content: { '<type>': { schema } } }` names them, else one is for all. */
const contentOf = (schema: unknown, mediaTypes: readonly string[]): Record<string, unknown> => {
  const byType = isSchema(schema) && isSchema(schema.content) ? schema.content : undefined;
  if (byType === undefined) return Object.fromEntries(mediaTypes.map((type) => [type, media(schema)]));
  const ofType = (type: string) => {
    const entry = byType[type];
    return media(isSchema(entry) ? entry.schema : {});
  };
  return Object.fromEntries([...new Set([...Object.keys(byType), ...mediaTypes])].map((type) => [type, ofType(type)]));
};

/** `querystring`, `params` and `headers` are object schemas; each of their properties is a parameter. */
const parametersOf = (schema: unknown, place: 'query' | 'path' | 'header'): Record<string, unknown>[] => {
  if (!isSchema(schema) || !isSchema(schema.properties)) return [];
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties).map(([name, property]) => {
    const { description, examples, ...shape } = isSchema(property) ? property : {};
    const isNeeded = place === 'path' || (required.includes(name) && !('default' in shape));
    return {
      name,
      in: place,
      required: isNeeded,
      ...(description === undefined ? {} : { description }),
      schema: published(shape),
      ...(Array.isArray(examples) && examples.length > 0 ? { example: examples[0] } : {}),
    };
  });
};

/** Names in a path for which the author gave no schema. */
const undescribedParts = (url: string, described: readonly Record<string, unknown>[]): Record<string, unknown>[] => {
  const names = [...url.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '').concat(url.endsWith('*') ? ['path'] : []);
  const missing = names.filter((name) => !described.some((parameter) => parameter.name === name));
  return missing.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
};

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key within 24 hours gives the same answer, and creates nothing twice.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
  example: 'b1a8a1f0-6d6c-4f0e-9f4e-0a6a3c1d2e3f',
};

/** What the server itself refuses on such a route, whatever the author names. */
const ownKinds = ({ access, config, schema, method, url }: KnownRoute, parameters: number): ProblemKind[] => {
  const kinds: ProblemKind[] = config.takesAnyQuery === true && parameters === 0 ? [] : ['bad-query'];
  if (access !== 'public') kinds.push('bad-token', 'not-allowed', 'tenant-suspended', 'sign-up-closed');
  if (access !== 'public' && access !== 'optional') kinds.push('not-signed-in');
  if (!isBesideEdge(url)) kinds.push('not-through-edge');
  if (takesBody(method, schema)) kinds.push('bad-body', 'timeout', 'too-large', 'unsupported-type', 'not-implemented');
  if (takesBody(method, schema) && mediaTypesTaken(method, schema).some((type) => type.endsWith('json'))) kinds.push('bad-json');
  if (config.isIdempotent) kinds.push('bad-request', 'in-progress', 'key-reused');
  if (config.showsSecret !== undefined) kinds.push('already-created');
  if (method === 'GET') kinds.push('uri-too-long');
  kinds.push('internal');
  if (config.isProbe !== true) kinds.push('unavailable', 'stopping');
  return kinds;
};

/** Where the schema takes null as well, the request may come without a body. */
const isBodyNeeded = (body: unknown): boolean => {
  if (typeof body !== 'object' || body === null) return false;
  const { anyOf } = body as { anyOf?: readonly { type?: unknown }[] };
  return anyOf?.some(({ type }) => type === 'null') !== true;
};

const takesBody = (method: string, schema: KnownRoute['schema']): boolean =>
  method !== 'GET' && method !== 'HEAD' && (schema.body !== undefined || schema.consumes !== undefined);

const rangeHeader = (description: string, example: string) => ({ 'Content-Range': { description, schema: { type: 'string' }, example } });

const headersOfStatus: Readonly<Record<number, Record<string, unknown>>> = {
  206: rangeHeader('Which bytes these are, and of how many; not with several ranges (RFC 9110 §14.4).', 'bytes 0-1023/146515'),
  401: { 'WWW-Authenticate': { description: 'How to sign in (RFC 6750).', schema: { type: 'string' }, example: 'Bearer' } },
  416: rangeHeader('How many bytes there are.', 'bytes */146515'),
  429: { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' }, example: 2 } },
  503: { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' }, example: 1 } },
};

const refusalOf = (status: number, kinds: readonly ProblemKind[]): Record<string, unknown> => ({
  description: kinds.map((kind) => problems[kind].title).join(' · '),
  ...(headersOfStatus[status] === undefined ? {} : { headers: headersOfStatus[status] }),
  content: {
    [problemMediaType]: {
      schema: { $ref: '#/components/schemas/Problem' },
      examples: Object.fromEntries(kinds.map((kind) => [kind, { $ref: `#/components/examples/${kind}` }])),
    },
  },
});

const basicChallenges = {
  'WWW-Authenticate': { description: 'How to prove the client (RFC 7617).', schema: { type: 'string' }, example: 'Basic realm="entrepot"' },
};

/** The same below `/oauth/`, in the form of RFC 6749 §5.2. */
const oauthRefusalOf = (status: number, codes: readonly OauthErrorCode[]): Record<string, unknown> => ({
  description: codes.map((code) => oauthErrors[code].help).join(' · '),
  ...(headersOfStatus[status] === undefined ? {} : { headers: status === 401 ? basicChallenges : headersOfStatus[status] }),
  content: {
    'application/json': {
      schema: { $ref: '#/components/schemas/OauthError' },
      examples: Object.fromEntries(codes.map((code) => [code, { summary: oauthErrors[code].help, value: exampleOauthError(code) }])),
    },
  },
});

const answerOf = (status: string, schema: unknown, produces: readonly string[]): Record<string, unknown> => {
  const given = isSchema(schema) ? schema.description : undefined;
  const description = typeof given === 'string' ? given : (statusTitles[status] ?? 'The answer');
  const isEmpty = status === '204' || (isSchema(schema) && schema.type === 'null');
  const headers = headersOfStatus[Number(status)];
  const head = headers === undefined ? { description } : { description, headers };
  return isEmpty ? head : { ...head, content: contentOf(schema, produces) };
};

const responsesOf = (route: KnownRoute, parameters: number): Record<string, unknown> => {
  const declared = isSchema(route.schema.response) ? route.schema.response : {};
  const isOauth = isOauthAddress(route.url);
  const kindsByStatus = new Map<number, Set<ProblemKind>>();
  const codesByStatus = new Map<number, Set<OauthErrorCode>>();
  const answers: Record<string, unknown> = {};
  const noteCode = (status: number, code: OauthErrorCode) => {
    codesByStatus.set(status, (codesByStatus.get(status) ?? new Set()).add(code));
  };
  const note = (kind: ProblemKind) => {
    const { status } = problems[kind];
    if (isOauth) noteCode(status, oauthCodeOf(kind));
    else kindsByStatus.set(status, (kindsByStatus.get(status) ?? new Set()).add(kind));
  };
  for (const [status, schema] of Object.entries(declared)) {
    const kinds = isSchema(schema) ? schema[kindsKeyword] : undefined;
    const codes = isSchema(schema) ? schema[oauthCodesKeyword] : undefined;
    if (Array.isArray(kinds)) kinds.forEach(note);
    else if (Array.isArray(codes)) for (const code of codes) noteCode(Number(status), code);
    else answers[status] = answerOf(status, schema, route.schema.produces ?? ['application/json']);
  }
  for (const kind of ownKinds(route, parameters)) note(kind);
  for (const [status, kinds] of kindsByStatus) answers[status] ??= refusalOf(status, [...kinds]);
  for (const [status, codes] of codesByStatus) answers[status] ??= oauthRefusalOf(status, [...codes]);
  return answers;
};

/** A name for generated clients: `getV1TargetsId`. */
const nameOf = ({ method, url }: KnownRoute): string => {
  const words = url.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
};

const accessTexts: Readonly<Record<string, string>> = {
  public: 'For everybody.',
  optional: 'For everybody; whoever has a session is known by it.',
  'signed-in': 'For everybody with a session.',
  person: 'For people only, not for devices and services.',
};

const accessText = (access: KnownRoute['access']): string => accessTexts[access] ?? `Needs the scope \`${access}\`.`;

/** How a caller proves itself (OpenAPI 3.1 §4.8.30); an empty object is nobody's proof. */
const securityOf = (access: KnownRoute['access']): Record<string, string[]>[] => {
  if (access === 'public') return [];
  if (access === 'optional') return [{}, { bearer: [] }];
  return [{ bearer: access in accessTexts ? [] : [access] }];
};

/** A route as an operation of the OpenAPI document. */
export const operationOf = (route: KnownRoute): Operation => {
  const { schema, access, config, url, method } = route;
  const described = [
    ...parametersOf(schema.params, 'path'),
    ...parametersOf(schema.querystring, 'query'),
    ...parametersOf(schema.headers, 'header'),
  ];
  const parameters = [...described, ...undescribedParts(url, described), ...(config.isIdempotent ? [idempotencyKey] : [])];
  const body = takesBody(method, schema)
    ? { requestBody: { required: isBodyNeeded(schema.body), content: contentOf(schema.body, mediaTypesTaken(method, schema)) } }
    : {};
  return {
    operationId: schema.operationId ?? nameOf(route),
    summary: schema.summary,
    description: [schema.description, accessText(access)].filter((text) => text !== undefined).join('\n\n'),
    tags: schema.tags ?? [url.split('/').find((part) => part !== '' && part !== 'v1') ?? 'operation'],
    ...(schema.deprecated === true ? { deprecated: true } : {}),
    security: securityOf(access),
    'x-access': access,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...body,
    responses: responsesOf(route, parameters.length),
  };
};
