import { scopes } from '../foundation/caller.ts';
import { oauthErrors } from '../foundation/oauth-errors.ts';
import { type ProblemKind, problems } from '../foundation/problem.ts';
import { operationOf } from './operation.ts';
import { type ProblemDocument, problemKinds } from './problem-reply.ts';
import type { KnownRoute, RouteTable } from './route-table.ts';

/** The OpenAPI 3.1 document, made from the route schemas when it is first asked for. */
export interface ApiDocument {
  read(): Readonly<Record<string, unknown>>;
  /** The same as JSON text. */
  text(): string;
}

const problemSchema = {
  type: 'object',
  description: 'A refusal (RFC 9457).',
  required: ['type', 'title', 'status', 'detail', 'instance'],
  properties: {
    type: { type: 'string', format: 'uri-reference', description: 'The kind of refusal; leads to its explanation.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What was wrong with this request.' },
    instance: { type: 'string', format: 'uri', description: '`urn:request:` and the id under which the request is logged.' },
    errors: {
      type: 'array',
      description: 'Each place that is wrong.',
      items: {
        type: 'object',
        required: ['in', 'at', 'why'],
        properties: {
          in: { type: 'string', enum: ['body', 'query', 'path', 'header'] },
          at: { type: 'string', description: 'A JSON Pointer (RFC 6901) into that part; empty for all of it.' },
          why: { type: 'string' },
        },
      },
    },
  },
};

const exampleErrors: Partial<Record<ProblemKind, NonNullable<ProblemDocument['errors']>>> = {
  'bad-body': [{ in: 'body', at: '/data/amount', why: 'must be a number' }],
  'bad-event': [{ in: 'body', at: '/17/id', why: 'is missing' }],
  'bad-query': [{ in: 'query', at: '/limit', why: 'may be at most 200' }],
  'bad-cursor': [{ in: 'query', at: '/cursor', why: 'is not a cursor of this list' }],
};

const oauthErrorSchema = {
  type: 'object',
  description: 'A refusal of OAuth (RFC 6749 §5.2).',
  required: ['error', 'error_description'],
  properties: {
    error: { type: 'string', enum: Object.keys(oauthErrors) },
    error_description: { type: 'string', description: 'For people.' },
  },
};

const exampleMembers: Partial<Record<ProblemKind, Readonly<Record<string, unknown>>>> = {
  'bad-json': { position: 17 },
  'not-allowed': { scope: 'events:send' },
  'too-large': { limit: 10_485_760 },
  'already-created': { id: 'svc_01k8t3w0e5f6g7h8j9kamn0pqr' },
};

const exampleProblem = (kind: ProblemKind): Record<string, unknown> => {
  const { title, status, help } = problems[kind];
  const errors = exampleErrors[kind];
  return {
    ...exampleMembers[kind],
    type: `/problems/${kind}`,
    title,
    status,
    detail: help,
    instance: 'urn:request:req_01k8t3w0e5f6g7h8j9kamn0pqr',
    ...(errors === undefined ? {} : { errors }),
  };
};

const scopeList = Object.entries(scopes)
  .map(([scope, meaning]) => `- \`${scope}\`: ${meaning}`)
  .join('\n');

const description =
  'Refusals are `application/problem+json` (RFC 9457), below `/oauth/` the `{error, error_description}` of RFC 6749. Lists have `limit` and `cursor` and link to their next page. ' +
  'POSTs that create take an `Idempotency-Key`. `X-Request-Id` and `traceparent` are taken up and handed on.\n\n' +
  `What a session may do is told by its scopes:\n\n${scopeList}`;

/** `/v1/targets/:id` as OpenAPI writes it. A wildcard is a parameter like any other there. */
const openPath = (url: string): string => url.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}');

const build = (routes: readonly KnownRoute[], version: string, publicUrl: string | undefined): Record<string, unknown> => {
  const paths: Record<string, Record<string, unknown>> = {};
  const tags = new Set<string>();
  for (const route of routes) {
    if (route.schema.hide === true) continue;
    const operation = operationOf(route);
    for (const tag of operation.tags) tags.add(tag);
    const path = openPath(route.url);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Entrepot', version, description, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: publicUrl ?? '/' }],
    tags: [...tags].sort().map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: '`accessToken` of a session.' },
      },
      schemas: { Problem: problemSchema, OauthError: oauthErrorSchema },
      examples: Object.fromEntries(problemKinds.map((kind) => [kind, { summary: problems[kind].title, value: exampleProblem(kind) }])),
    },
  };
};

export const createApiDocument = ({
  table,
  version,
  publicUrl,
}: {
  table: RouteTable;
  version: string;
  publicUrl?: string | undefined;
}): ApiDocument => {
  let document: Record<string, unknown> | undefined;
  let text: string | undefined;
  const read = () => {
    document ??= build(table.routes, version, publicUrl);
    return document;
  };
  return {
    read,
    text() {
      text ??= JSON.stringify(read());
      return text;
    },
  };
};
