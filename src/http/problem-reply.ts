import type { FastifyReply } from 'fastify';
import { type Fault, type Problem, type ProblemKind, problems } from '../foundation/problem.ts';
import { Type } from '../foundation/schema.ts';
import { isOauthAddress, oauthErrorDocument } from './oauth-refusal.ts';

// How to write a route. Everything about it stands in one place, and the OpenAPI document is made from just that:
//
//   app.post('/', {
//     config: { access: 'events:send' },                    // 'public', 'signed-in' or a scope; without it the start is refused
//     schema: {
//       summary: 'Send events',                             // demanded as well
//       description: '…', tags: ['events'],                 // may be left out; without tags the first word of the path is taken
//       querystring: Type.Object({ dry: Type.Optional(Type.Boolean()) }),  // coerced; unknown names are refused by themselves
//       params: Type.Object({ id: Type.String() }),         // coerced
//       body: Type.Object({ … }, { additionalProperties: false, examples: [{ … }] }),   // not coerced
//       response: { 202: Receipt, ...refusals(409, 'bad-event', 'reserved-type', 429) },
//     },
//   }, async (request, reply) => reply.code(202).send(…));
//
// - `refusals(...)` takes statuses (their general kind) and kinds. Those that the server itself gives (400 for bad JSON, bad bodies
//   and queries, 401, 403, 408, 413, 415, 500, 501, 503, and 409/422 of `isIdempotent`) stand in the document without being named.
// - `examples: [ … ]` in a schema become the examples of the document; where there are none, one is made up from the schema.
// - Other bodies: `consumes: ['application/json', 'application/x-ndjson']` lists the media types that are taken (default:
//   application/json, for PATCH also application/merge-patch+json). application/json and …+json are parsed (the text is `request.rawBody`);
//   every other declared type arrives as a stream: `bodyStream(request)`. A schema for each: `body: { content: { '<type>': { schema } } }`.
//   With `config.checksBodyItself` the body's schema is only documentation, and the route checks the body. `config.takesAnyType` lets
//   further types in where the headers of a request say what its body is.
// - Stored bytes: `sendBytes(request, reply, source)` with `config: { access, answersHead: true }` (its HEAD runs the same handler, which
//   opens nothing) and `schema: { summary, produces: ['*/*'], response: { ...bytesAnswers, ...refusals(404) } }`. 200, 206, 304, 412 and
//   416 stand in the document with that; where the types are known, `produces` lists them.
// - Other answers: `produces: ['text/event-stream']`. Such routes get no HEAD beside their GET, unless `config.answersHead` says that the
//   handler can. A handler that takes the raw response
//   over (`reply.hijack()`) must write `reply.getHeaders()` itself: the security headers are among them.
// - `config.isIdempotent` takes `Idempotency-Key`, with `showsSecret` where the answer must not be kept; `config.takesAnyQuery` is for
//   pages; `schema.hide` leaves a route out of the document.
// - Forms: `consumes: [formMediaType]`, read by `readForm(request)`. Below `/oauth/` refusals have the form of RFC 6749: `oauthRefusals(...)`.
// - Refuse by throwing a `Problem`. Anything else that is thrown is a 500 (an `Unavailable` a 503) and shows nothing.

/** A refusal as it goes over the wire (RFC 9457). */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly errors?: readonly Fault[];
}

export type ProblemStatus = (typeof problems)[ProblemKind]['status'];
type StatusOf<Refusal> = Refusal extends ProblemKind ? (typeof problems)[Refusal]['status'] : Refusal;

/** Names the kinds that an entry of a route's `response` stands for; the OpenAPI document reads it. */
export const kindsKeyword = 'x-problems';

export const problemMediaType = 'application/problem+json';

export const problemKinds = Object.keys(problems) as ProblemKind[]; // the keys of a constant table

/** The kind that stands for a status where a route names only the status. */
const generalKind = (status: ProblemStatus): ProblemKind => {
  const kind = problemKinds.find((candidate) => problems[candidate].status === status);
  if (kind === undefined) throw new Error(`No problem has the status ${status}`);
  return kind;
};

const refusalSchema = (kinds: readonly ProblemKind[]) => Type.Unsafe<ProblemDocument>({ [kindsKeyword]: kinds });

/** What a route refuses, as part of its `response` schemas: statuses, kinds, or both. */
export const refusals = <const Refusals extends readonly (ProblemStatus | ProblemKind)[]>(
  ...which: Refusals
): { [Status in StatusOf<Refusals[number]>]: ReturnType<typeof refusalSchema> } => {
  const kindsByStatus = new Map<number, ProblemKind[]>();
  for (const refusal of which) {
    const kind: ProblemKind = typeof refusal === 'number' ? generalKind(refusal) : (refusal as ProblemKind); // what is no number is a kind
    const { status } = problems[kind];
    kindsByStatus.set(status, [...(kindsByStatus.get(status) ?? []), kind]);
  }
  const schemas = Object.fromEntries([...kindsByStatus].map(([status, kinds]) => [status, refusalSchema(kinds)]));
  return schemas as { [Status in StatusOf<Refusals[number]>]: ReturnType<typeof refusalSchema> }; // its keys are the statuses of `which`
};

/** The document that a client gets. */
export const problemDocument = (problem: Problem, requestId: string): ProblemDocument => {
  const { title, status } = problems[problem.kind];
  const { errors, members } = problem.extras;
  const standard = { type: `/problems/${problem.kind}`, title, status, detail: problem.message, instance: `urn:request:${requestId}` };
  // Twice: first for the order, last so that no further member can take the place of a standard one.
  return { ...standard, ...members, ...standard, ...(errors === undefined ? {} : { errors }) };
};

/** `Retry-After` in whole seconds (RFC 9110 §10.2.3), never 0: that would invite a storm. */
export const retryAfterSeconds = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)));

const defaultRetryAfterMs = 1000;

/** The headers that go with a refusal: `Retry-After` always with 429 and 503, a challenge always with 401 (RFC 6750 §3). */
export const problemHeaders = (problem: Problem): Record<string, string> => {
  const { status, extras } = problem;
  const headers: Record<string, string> = {};
  if (status === 401) headers['www-authenticate'] = problem.kind === 'bad-token' ? 'Bearer error="invalid_token"' : 'Bearer';
  if (extras.retryAfterMs !== undefined) headers['retry-after'] = retryAfterSeconds(extras.retryAfterMs);
  else if (status === 429 || status === 503) headers['retry-after'] = retryAfterSeconds(defaultRetryAfterMs);
  return { ...headers, ...extras.headers };
};

const asItIs = (payload: string): string => payload;

/** The text of a refusal in the form that its address answers in. */
export const refusalText = (problem: Problem, { id, url }: { id: string; url: string }): { mediaType: string; text: string } =>
  isOauthAddress(url)
    ? { mediaType: 'application/json', text: JSON.stringify(oauthErrorDocument(problem)) }
    : { mediaType: problemMediaType, text: JSON.stringify(problemDocument(problem, id)) };

/** Sends the refusal. Its text is made here, so that no response schema of a route can change it. */
export const sendProblem = (reply: FastifyReply, problem: Problem): FastifyReply => {
  const { mediaType, text } = refusalText(problem, reply.request);
  return reply.code(problem.status).headers(problemHeaders(problem)).type(mediaType).serializer(asItIs).send(text);
};
