import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { readApi } from '../support/api-document.ts';
import { type Scene, startScene } from '../support/delivery-scene.ts';
import { call, eventually, givenService, type Json } from '../support/given.ts';

const require = createRequire(import.meta.url);
const { Ajv2020 } = require('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js');
const { default: addFormats } = require('ajv-formats') as typeof import('ajv-formats');

/** Pages for people and what they are made of; they are no part of the API. */
const pages = new Set(['/', '/docs', '/docs/start.js', '/docs/:file']);
const methods = ['get', 'post', 'put', 'patch', 'delete'];

describe('the API document of the running server', () => {
  let scene: Scene;
  let document: Json;
  /** Checks a value against a schema of the document. */
  let assertFits: (schema: Json, value: unknown, place: string) => void;

  before(async () => {
    scene = await startScene();
    const { status, body, headers } = await call(scene.server, 'GET', '/openapi.json');
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
    document = body;
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(ajv);
    ajv.addSchema({ ...document, $id: 'api' });
    assertFits = (schema, value, place) => {
      const resolved = JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"api#/components/'));
      const fits = ajv.compile(resolved);
      assert.ok(fits(value), `${place}: ${JSON.stringify(fits.errors)}\n${JSON.stringify(value)}`);
    };
  });
  after(() => scene.stop());

  const operations = (): { path: string; method: string; operation: Json }[] =>
    Object.entries(document.paths as Json).flatMap(([path, item]) =>
      Object.entries(item as Json).map(([method, operation]) => ({ path, method, operation })),
    );
  const contentsOf = (operation: Json): { place: string; content: Json }[] => [
    ...Object.entries((operation.requestBody?.content ?? {}) as Json).map(([type, content]) => ({ place: `body ${type}`, content })),
    ...Object.entries(operation.responses as Json).flatMap(([status, response]) =>
      Object.entries(((response as Json).content ?? {}) as Json).map(([type, content]) => ({ place: `${status} ${type}`, content })),
    ),
  ];
  const example = (one: Json): Json =>
    one.$ref === undefined ? one.value : document.components.examples[one.$ref.replace('#/components/examples/', '')].value;

  it('is valid OpenAPI 3.1, and the same at both addresses', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    assert.ok(valid, JSON.stringify(errors));
    assert.match(document.openapi, /^3\.1\./);
    assert.deepEqual((await call(scene.server, 'GET', '/docs/swagger.json')).body, document);
  });

  it('has every route of the server, and no other', async () => {
    const { routes } = await readApi();
    // Where two routes call the same place of the path by different names, the router names both.
    const served = routes
      .filter(({ method, url }) => method !== 'HEAD' && method !== 'OPTIONS' && !pages.has(url))
      .map(({ method, url }) => `${method} ${url.replace(/(?<=.)\/$/, '').replaceAll(/:\w+(\|:\w+)*/g, '{}')}`);
    const documented = operations().map(({ path, method }) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`);
    assert.ok(documented.length > 30);
    assert.deepEqual(documented.toSorted(), [...new Set(served)].toSorted());
  });

  it('says of each route what it does, who may call it, and what it answers', () => {
    const ids = new Set<string>();
    for (const { path, method, operation } of operations()) {
      const place = `${method} ${path}`;
      assert.ok(methods.includes(method), place);
      assert.ok(operation.summary.length > 3, place);
      assert.ok(operation.tags.length > 0, place);
      assert.ok(Array.isArray(operation.security), place);
      assert.ok(!ids.has(operation.operationId), `${operation.operationId} twice`);
      ids.add(operation.operationId);
      const statuses = Object.keys(operation.responses);
      assert.ok(
        statuses.some((status) => status.startsWith('2')),
        `${place} has no success`,
      );
      if (operation.security.length > 0) assert.ok(statuses.includes('401'), `${place} has no 401`);
      if (operation.security[0]?.bearer?.length > 0) assert.ok(statuses.includes('403'), `${place} has no 403`);
      if (path.includes('{')) assert.ok(statuses.includes('404'), `${place} has no 404`);
      for (const [, name] of path.matchAll(/\{(\w+)\}/g))
        assert.ok(
          operation.parameters.some((parameter: Json) => parameter.in === 'path' && parameter.name === name),
          `${place}: ${name}`,
        );
    }
  });

  it('has an example for every body, answer and refusal, and each fits its schema', () => {
    for (const { path, method, operation } of operations()) {
      for (const { place, content } of contentsOf(operation)) {
        const where = `${method} ${path} ${place}`;
        const examples = content.examples === undefined ? [content.example] : Object.values(content.examples as Json).map(example);
        assert.ok(examples.length > 0 && examples.every((one) => one !== undefined), `${where} has no example`);
        for (const one of examples) assertFits(content.schema, one, where);
      }
    }
  });

  it('describes what the routes really answer', async () => {
    const { server, operator } = scene;
    const target = await scene.target(undefined, { kind: 'graphql', enrich: { a: 1 }, rate: { requests: 100, intervalMs: 1000 } });
    const failing = await scene.target(() => ({ status: 422 }), { types: [target.type] });
    await target.send('x', { body: { total: 1 } });
    await target.delivery('x', 'delivered');
    const [dead] = await eventually(
      () => failing.deliveries('&state=dead'),
      (items) => items.length === 1,
    );
    const delivery = dead?.id;
    const service = await givenService(server, operator);

    const check = async (method: string, pattern: string, path: string, body?: unknown, type = 'application/json') => {
      const headers = body === undefined ? {} : { 'content-type': type };
      const answer = await call(server, method, path, { token: operator, body, headers });
      const operation = document.paths[pattern][method.toLowerCase()];
      const response = operation.responses[answer.status];
      assert.ok(response, `${method} ${pattern} answers ${answer.status}, which is not documented: ${answer.text}`);
      const contentType = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
      if (answer.text === '') assert.equal(response.content, undefined, `${method} ${pattern} should have a body`);
      else assertFits(response.content[contentType].schema, answer.body ?? answer.text, `${method} ${pattern} ${answer.status}`);
      return answer;
    };
    const same = (method: string, path: string, body?: unknown) => check(method, path, path, body);

    for (const path of [
      '/healthz',
      '/readyz',
      '/v1/version',
      '/v1/me',
      '/v1/flow',
      '/problems',
      '/.well-known/jwks.json',
      '/.well-known/oauth-authorization-server',
    ])
      await same('GET', path);
    for (const path of ['/v1/events', '/v1/targets', '/v1/deliveries', '/v1/services', '/v1/sessions', '/v1/devices']) {
      await same('GET', path);
      await check('GET', path, `${path}?limit=0`);
      await check('GET', path, `${path}?cursor=x`);
    }
    for (const [path, id] of [
      ['/v1/events', `${target.type}-x`],
      ['/v1/trace', `${target.type}-x`],
      ['/v1/trace', delivery],
      ['/v1/trace', target.id],
      ['/v1/deliveries', delivery],
      ['/v1/targets', target.id],
      ['/v1/services', service.id],
    ] as const) {
      await check('GET', `${path}/{id}`, `${path}/${id}`);
      await check('GET', `${path}/{id}`, `${path}/nowhere`);
    }
    await check('GET', '/problems/{kind}', '/problems/bad-token');
    await check('GET', '/problems/{kind}', '/problems/nothing');
    await same('POST', '/v1/events', { id: 'documented', name: 'a' });
    await same('POST', '/v1/events', [{ id: 'documented-2', name: 'a' }]);
    await same('POST', '/v1/events', [{ name: 'a' }]);
    await check('POST', '/v1/events', '/v1/events', '{"id":"documented-3","name":"a"}\n', 'application/x-ndjson');
    await check('POST', '/v1/events', '/v1/events', 'x', 'text/plain');
    const made = await same('POST', '/v1/targets', {
      name: 'documented',
      kind: 'webhook',
      config: { url: scene.receiver.url },
      types: ['x'],
    });
    await same('POST', '/v1/targets', { name: 'documented', kind: 'webhook', config: { url: scene.receiver.url } });
    await same('POST', '/v1/targets', {});
    const id = made.body.id;
    await check('PATCH', '/v1/targets/{id}', `/v1/targets/${id}`, { transform: '{"id": id}', rate: { requests: 1, intervalMs: 1 } });
    for (const act of ['pause', 'resume', 'test']) await check('POST', `/v1/targets/{id}/${act}`, `/v1/targets/${id}/${act}`);
    await check('DELETE', '/v1/targets/{id}', `/v1/targets/${id}`);
    await check('POST', '/v1/deliveries/{id}/replay', `/v1/deliveries/${delivery}/replay`);
    await same('POST', '/v1/deliveries/replay', { filter: { target: failing.id } });
    const other = await same('POST', '/v1/services', { name: 'documented', scopes: ['events:send'] });
    const secret = await check('POST', '/v1/services/{id}/secrets', `/v1/services/${other.body.id}/secrets`);
    await check('POST', '/v1/services/{id}/secrets', `/v1/services/${other.body.id}/secrets`);
    const secretPath = `/v1/services/${other.body.id}/secrets/${secret.body.id}`;
    await check('DELETE', '/v1/services/{id}/secrets/{secretId}', secretPath);
    await check('PATCH', '/v1/services/{id}', `/v1/services/${other.body.id}`, { name: 'renamed' });
    await check('DELETE', '/v1/services/{id}', `/v1/services/${other.body.id}`);
    const session = await same('POST', '/v1/sessions', { method: 'secret', authId: service.authId, secret: service.secret });
    await same('POST', '/v1/sessions', { method: 'secret', authId: service.authId, secret: 'wrong' });
    await same('POST', '/v1/sessions/refresh', { refreshToken: session.body.refreshToken });
    await same('POST', '/v1/sessions/refresh', { refreshToken: 'wrong' });
    await check('DELETE', '/v1/sessions/{id}', '/v1/sessions/ses_nowhere');
    const { pin } = (await same('POST', '/v1/devices/pairings', { deviceId: 'phone', name: 'Phone' })).body;
    await same('POST', '/v1/devices/pairings', { username: 'nobody', deviceId: 'phone' });
    await same('POST', '/v1/sessions', { method: 'pin', deviceId: 'phone', pin });
    const [device] = (await same('GET', '/v1/devices')).body.items;
    await check('DELETE', '/v1/devices/{id}', `/v1/devices/${device.id}`);

    await same('POST', '/v1/devices/authorizations', { userCode: 'BCDF-GHJK' });
    const asClient = async (path: string, fields: Record<string, string>) => {
      const form = new URLSearchParams({ client_id: service.authId, client_secret: service.secret, ...fields }).toString();
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const answer = await call(server, 'POST', path, { body: form, headers });
      const response = document.paths[path].post.responses[answer.status];
      assert.ok(response, `${path} answers ${answer.status}, which is not documented: ${answer.text}`);
      if (answer.text === '') assert.equal(response.content, undefined);
      else assertFits(response.content['application/json'].schema, answer.body, `${path} ${answer.status}`);
      return answer;
    };
    const tokens = await asClient('/oauth/token', { grant_type: 'client_credentials' });
    await asClient('/oauth/token', { grant_type: 'nonsense' });
    await asClient('/oauth/token', { client_secret: 'wrong' });
    await asClient('/oauth/device_authorization', {});
    await asClient('/oauth/introspect', { token: tokens.body.access_token });
    await asClient('/oauth/introspect', { token: 'x' });
    await asClient('/oauth/revoke', { token: tokens.body.access_token });
    await asClient('/oauth/revoke', {});
  });
});
