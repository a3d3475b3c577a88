import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { problems } from '../foundation/problem.ts';
import { ask, startSampleServer } from './sample-server.ts';

interface Media {
  readonly schema?: unknown;
  readonly example?: unknown;
  readonly examples?: Record<string, { value?: unknown; $ref?: string }>;
}
interface Operation {
  readonly summary: string;
  readonly security: Record<string, string[]>[];
  readonly parameters?: { name: string; in: string; required: boolean; schema: Record<string, unknown> }[];
  readonly requestBody?: { content: Record<string, Media> };
  readonly responses: Record<string, { description: string; headers?: Record<string, unknown>; content?: Record<string, Media> }>;
}
interface Document {
  readonly openapi: string;
  readonly servers: { url: string }[];
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { examples: Record<string, { value: Record<string, unknown> }> };
}

const read = async (url: string): Promise<Document> => JSON.parse((await ask(`${url}/openapi.json`)).text);

const operationsOf = (document: Document): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
  );

test('the API document is valid OpenAPI 3.1, the same at both addresses', async (t) => {
  const { url } = await startSampleServer(t);
  const document = await read(url);
  const result = await new Validator().validate({ ...structuredClone(document) });
  assert.deepEqual(result.errors ?? [], []);
  assert.equal(document.openapi, '3.1.0');
  assert.equal((await ask(`${url}/docs/swagger.json`)).text, (await ask(`${url}/openapi.json`)).text);
});

test('every route stands in it with a summary and who may call it', async (t) => {
  const { url } = await startSampleServer(t, { publicUrl: 'https://entrepot.example' });
  const document = await read(url);
  const operations = Object.fromEntries(operationsOf(document));
  assert.deepEqual(Object.keys(operations).sort(), [
    'get /docs/swagger.json',
    'get /healthz',
    'get /metrics',
    'get /openapi.json',
    'get /problems',
    'get /problems/{kind}',
    'get /readyz',
    'get /v1/away',
    'get /v1/broken',
    'get /v1/foreign-error',
    'get /v1/live',
    'get /v1/things',
    'get /v1/things/{id}',
    'get /v1/trace-context',
    'get /v1/unknown-values',
    'get /v1/version',
    'patch /v1/things/{id}',
    'post /v1/echo',
    'post /v1/lines',
    'post /v1/payments',
    'post /v1/secrets',
    'post /v1/sessions',
    'post /v1/things',
    'post /v1/unread',
  ]);
  assert.ok(Object.values(operations).every(({ summary }) => summary.length > 0));
  assert.deepEqual(operations['post /v1/payments']?.security, [{ bearer: ['events:send'] }]);
  assert.deepEqual(operations['get /v1/things/{id}']?.security, [{ bearer: [] }]);
  assert.deepEqual(operations['get /v1/version']?.security, []);
  assert.deepEqual(document.servers, [{ url: 'https://entrepot.example' }]);
});

test('each refusal of a route stands in it with an example for each kind', async (t) => {
  const { url } = await startSampleServer(t);
  const document = await read(url);
  const { responses = {} } = document.paths['/v1/payments']?.post ?? {};
  assert.deepEqual(Object.keys(responses), ['201', '400', '401', '403', '408', '409', '413', '415', '500', '501', '503']);
  assert.deepEqual(Object.keys(responses['400']?.content?.['application/problem+json']?.examples ?? {}).sort(), [
    'bad-body',
    'bad-event',
    'bad-json',
    'bad-query',
  ]);
  assert.ok(responses['503']?.headers?.['Retry-After']);
  const made = document.paths['/v1/secrets']?.post?.responses['409']?.content?.['application/problem+json']?.examples ?? {};
  assert.deepEqual(Object.keys(made), ['in-progress', 'already-created']);
  for (const [name, { responses: all }] of operationsOf(document)) {
    for (const [status, { content }] of Object.entries(all)) {
      for (const { $ref = '' } of Object.values(content?.['application/problem+json']?.examples ?? {})) {
        const { value } = document.components.examples[$ref.replace('#/components/examples/', '')] ?? {};
        assert.equal(value?.status, Number(status), `${name} ${status} ${$ref}`);
      }
    }
  }
  assert.deepEqual(Object.keys(document.components.examples), Object.keys(problems));
});

test('every body and answer stands in it with an example', async (t) => {
  const { url } = await startSampleServer(t);
  const document = await read(url);
  for (const [name, { requestBody, responses }] of operationsOf(document)) {
    const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)];
    for (const [type, media] of contents.flatMap((content) => Object.entries(content ?? {}))) {
      assert.ok('example' in media || Object.keys(media.examples ?? {}).length > 0, `${name} ${type}`);
    }
  }
  assert.deepEqual(document.paths['/v1/payments']?.post?.requestBody?.content['application/json']?.example, {
    kind: 'payment',
    data: { amount: 12.5 },
  });
  assert.deepEqual(document.paths['/v1/sessions']?.post?.requestBody?.content['application/json']?.example, {
    method: 'password',
    username: 'text',
    password: 'text',
  });
});

test('parameters, media types and headers of a route stand in it', async (t) => {
  const { url } = await startSampleServer(t);
  const { paths } = await read(url);
  const list = paths['/v1/things']?.get?.parameters ?? [];
  assert.deepEqual(
    list.map(({ name, in: place, required }) => [name, place, required]),
    [
      ['limit', 'query', false],
      ['cursor', 'query', false],
      ['isNew', 'query', false],
      ['tag', 'query', false],
    ],
  );
  assert.deepEqual(
    paths['/v1/things/{id}']?.patch?.parameters?.map(({ name, in: place }) => [name, place]),
    [['id', 'path']],
  );
  assert.ok(paths['/v1/things']?.post?.parameters?.some(({ name }) => name === 'Idempotency-Key'));
  assert.deepEqual(Object.keys(paths['/v1/lines']?.post?.requestBody?.content ?? {}), ['application/json', 'application/x-ndjson']);
  assert.deepEqual(Object.keys(paths['/metrics']?.get?.responses['200']?.content ?? {}), ['text/plain']);
});
