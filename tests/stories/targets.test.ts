import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Scene, startScene } from '../support/delivery-scene.ts';
import { call, eventually, givenOperator, type Json } from '../support/given.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const idsOf = (items: readonly Json[]): string[] => items.map(({ eventId }) => eventId).toSorted();

describe('targets', () => {
  let scene: Scene;
  before(async () => {
    scene = await startScene();
  });
  after(() => scene.stop());

  const settled = (id: string) => scene.event(id, 'delivered', 'no-target');

  describe('which events they get', { concurrency: 8 }, () => {
    it('none, one or many targets get an event, and the event tells', async () => {
      const types = ['fan.out'];
      const [first, second, third] = await Promise.all([1, 2, 3].map(() => scene.target(undefined, { types })));
      await scene.send([
        { id: 'fan-many', name: 'fan.out' },
        { id: 'fan-none', name: 'fan.nobody' },
      ]);
      const many = await settled('fan-many');
      assert.deepEqual(new Set(many.deliveries.map(({ target }: Json) => target)), new Set([first?.id, second?.id, third?.id]));
      assert.deepEqual(new Set(many.deliveries.map(({ state }: Json) => state)), new Set(['delivered']));
      const none = await settled('fan-none');
      assert.deepEqual([none.state, none.deliveries], ['no-target', []]);
      const { body: trace } = await scene.call('GET', '/v1/trace/fan-none');
      assert.deepEqual([trace.state, trace.entries.map(({ what }: Json) => what)], ['no-target', ['accepted', 'no-target']]);
      assert.equal((await scene.call('GET', '/v1/trace/fan-many')).body.entries[1].detail.targets, 3);
    });

    it('a type is meant exactly, `order.*` is what begins so but not `order` itself', async () => {
      const exact = await scene.target(undefined, { types: ['pattern'] });
      const prefix = await scene.target(undefined, { types: ['pattern.*'] });
      const both = await scene.target(undefined, { types: ['pattern', 'pattern.a.*'] });
      const names = ['pattern', 'pattern.a', 'pattern.a.b', 'patterns', 'pattern.', 'Pattern', 'x.pattern'];
      await scene.send(names.map((name) => ({ id: `p:${name}`, name })));
      for (const name of names) await settled(`p:${name}`);
      assert.deepEqual(idsOf(await exact.deliveries()), ['p:pattern']);
      assert.deepEqual(idsOf(await prefix.deliveries()), ['p:pattern.a', 'p:pattern.a.b']);
      assert.deepEqual(idsOf(await both.deliveries()), ['p:pattern', 'p:pattern.a.b']);
    });

    it('a new target gets what arrives after it was made, nothing from before', async () => {
      const first = await scene.target();
      await first.send('before');
      await first.delivery('before', 'delivered');
      const later = await scene.target(undefined, { types: [first.type] });
      await first.send('after');
      await eventually(
        () => later.deliveries('&state=delivered'),
        (items) => items.length === 1,
      );
      assert.deepEqual(idsOf(await later.deliveries()), [`${first.type}-after`]);
    });

    it('one of two targets that fails is no trouble for the other: the event is dead for one, delivered to the other', async () => {
      const failing = await scene.target(() => ({ status: 422 }));
      const well = await scene.target(undefined, { types: [failing.type] });
      await failing.send('x');
      const event = await scene.event(`${failing.type}-x`, 'dead');
      const states = Object.fromEntries(event.deliveries.map(({ target, state }: Json) => [target, state]));
      assert.deepEqual(states, { [failing.id]: 'dead', [well.id]: 'delivered' });
    });
  });

  describe('making and changing them', { concurrency: 8 }, () => {
    it('a change is merged: members that are not named stay, null takes one away', async () => {
      const target = await scene.target(undefined, {
        enrich: { a: 1, b: { c: 2, d: 3 } },
        kind: 'graphql',
        config: { headers: { 'X-A': '1', 'X-B': '2' } },
      });
      assert.deepEqual((await target.patch({ enrich: { a: null, b: { d: null, e: 4 } } })).body.enrich, { b: { c: 2, e: 4 } });
      assert.deepEqual((await target.patch({ retry: { attempts: 7 } })).body.retry, { attempts: 7, minDelayMs: 1, maxDelayMs: 10 });
      assert.deepEqual((await target.patch({ config: { headers: { 'X-B': null, 'X-C': '3' } } })).body.config.headers, {
        'X-A': '[secret]',
        'X-C': '[secret]',
      });
      await target.send('x');
      await target.delivery('x', 'delivered');
      const [request] = target.received();
      assert.deepEqual([request?.headers['x-a'], request?.headers['x-b'], request?.headers['x-c']], ['1', undefined, '3']);
    });

    it('a change counts for what waits already', async () => {
      const target = await scene.target(undefined, { state: 'paused' });
      await target.send('x');
      await target.delivery('x', 'waiting');
      assert.equal((await target.patch({ enrich: { brand: 'late' }, state: 'active' })).body.state, 'active');
      await target.delivery('x', 'delivered');
      assert.equal((target.received()[0]?.json as Json)?.data.brand, 'late');
    });

    it('pausing by a change is pausing: it is told like by the act', async () => {
      const watcher = await scene.target(undefined, { types: ['target.paused'] });
      const byAct = await scene.target();
      const byChange = await scene.target();
      assert.equal((await scene.call('POST', `/v1/targets/${byAct.id}/pause`)).body.state, 'paused');
      assert.equal((await byChange.patch({ state: 'paused' })).body.state, 'paused');
      const paused = () => new Set(watcher.received().map(({ json }) => (json as Json).data.body.id));
      await eventually(
        async () => paused(),
        (ids) => ids.has(byAct.id) && ids.has(byChange.id),
      );
    });

    it('what is wrong is refused, naming each place', async () => {
      const good = { name: 'wrong', kind: 'webhook', config: { url: scene.receiver.url } };
      const wrong: [Record<string, unknown>, string][] = [
        [{ name: undefined }, '/name'],
        [{ name: '' }, '/name'],
        [{ kind: 'pigeon' }, '/kind'],
        [{ config: undefined }, '/config'],
        [{ config: {} }, '/config/url'],
        [{ config: { url: 'nonsense' } }, '/config/url'],
        [{ config: { url: 'ftp://example.com' } }, '/config/url'],
        [{ config: { url: scene.receiver.url, secret: 'short' } }, '/config/secret'],
        [{ config: { url: scene.receiver.url, colour: 'red' } }, '/config/colour'],
        [{ types: [] }, '/types'],
        [{ types: [5] }, '/types/0'],
        [{ rate: { requests: 0, intervalMs: 1000 } }, '/rate/requests'],
        [{ rate: { requests: 1 } }, '/rate/intervalMs'],
        [{ rate: '1/2s' }, '/rate'],
        [{ concurrency: 0 }, '/concurrency'],
        [{ retry: { attempts: 0 } }, '/retry/attempts'],
        [{ ordering: 'random' }, '/ordering'],
        [{ timeoutMs: '5' }, '/timeoutMs'],
        [{ state: 'asleep' }, '/state'],
        [{ colour: 'red' }, '/colour'],
      ];
      for (const [change, at] of wrong) {
        const { status, body } = await scene.call('POST', '/v1/targets', { ...good, ...change });
        assert.deepEqual([status, body.type], [400, '/problems/bad-body'], at);
        assert.ok(
          body.errors.some((fault: Json) => fault.in === 'body' && fault.at === at),
          `${at} in ${JSON.stringify(body.errors)}`,
        );
      }
      assert.ok(!(await scene.call('GET', '/v1/targets?limit=200')).body.items.some(({ name }: Json) => name === 'wrong'));
      const target = await scene.target();
      for (const change of [
        { kind: 'graphql' },
        { id: 'x' },
        { name: null },
        { config: null },
        { state: null },
        { createdAt: 'x' },
        [],
        'x',
      ])
        assert.equal((await target.patch(change)).status, 400, JSON.stringify(change));
      assert.deepEqual((await scene.call('GET', `/v1/targets/${target.id}`)).body.updatedAt, target.made.updatedAt);
    });

    it('a name is given once; that of a deleted target is free again', async () => {
      const target = await scene.target();
      const same = { name: target.name, kind: 'webhook', config: { url: scene.receiver.url }, types: ['nothing'] };
      const taken = await scene.call('POST', '/v1/targets', same);
      assert.deepEqual([taken.status, taken.body.type], [409, '/problems/conflict']);
      const other = await scene.target();
      assert.equal((await other.patch({ name: target.name })).status, 409);
      assert.equal((await scene.call('DELETE', `/v1/targets/${target.id}`)).status, 204);
      assert.equal((await scene.call('POST', '/v1/targets', same)).status, 201);
    });

    it('lists have the newest first, page by page', async () => {
      for (let made = 0; made < 3; made += 1) await scene.target();
      const first = await scene.call('GET', '/v1/targets?limit=2');
      assert.equal(first.body.items.length, 2);
      const next = await scene.call('GET', `/v1/targets?limit=2&cursor=${first.body.nextCursor}`);
      const ids = [...first.body.items, ...next.body.items].map(({ id }: Json) => id);
      assert.deepEqual(ids, ids.toSorted().toReversed());
      assert.equal(new Set(ids).size, 4);
      assert.equal(/<([^>]+)>/.exec(first.headers.get('link') ?? '')?.[1], `/v1/targets?limit=2&cursor=${first.body.nextCursor}`);
    });
  });

  describe('testing and deleting them', { concurrency: 8 }, () => {
    it('a test sends a sample at once, also while the target is paused, and tells how it went', async () => {
      const target = await scene.target(() => ({ body: { ok: true } }), { state: 'paused', enrich: { brand: 'testBrand' } });
      const { status, body } = await scene.call('POST', `/v1/targets/${target.id}/test`);
      assert.equal(status, 200);
      assert.deepEqual(
        { ...body, durationMs: typeof body.durationMs },
        { outcome: 'delivered', status: 200, durationMs: 'number', body: '{"ok":true}' },
      );
      assert.equal((target.received()[0]?.json as Json)?.data.brand, 'testBrand');
      assert.deepEqual(await target.deliveries(), [], 'it leaves nothing behind');
    });

    it('a test is 200 also when the target fails, with what was wrong', async () => {
      const test = async (answer: Parameters<Scene['target']>[0], fields = {}) => {
        const target = await scene.target(answer, { state: 'paused', ...fields });
        const { status, body } = await scene.call('POST', `/v1/targets/${target.id}/test`);
        assert.equal(status, 200);
        assert.equal(typeof body.reason, 'string');
        return [body.outcome, body.status];
      };
      assert.deepEqual(await test(() => ({ status: 500, body: 'oh no' })), ['failed', 500]);
      assert.deepEqual(await test(() => ({ status: 422 })), ['refused', 422]);
      assert.deepEqual(await test(() => ({ status: 429 })), ['throttled', 429]);
      assert.deepEqual(await test(() => ({ status: 410 })), ['gone', 410]);
      assert.deepEqual(await test(() => 'reset'), ['failed', undefined]);
      assert.deepEqual(await test(() => 'hang', { timeoutMs: 100 }), ['failed', undefined]);
      assert.deepEqual(await test(undefined, { transform: '$error("no")' }), ['parked', undefined]);
    });

    it('deleting a target parks what waits for it, with the reason; nothing of it is sent any more', async () => {
      const target = await scene.target(() => ({ status: 500 }), { retry: { attempts: 9, minDelayMs: 60_000, maxDelayMs: 60_000 } });
      for (const id of [1, 2, 3]) await target.send(id);
      for (const id of [1, 2, 3]) await target.delivery(id, 'retrying');
      assert.equal((await scene.call('DELETE', `/v1/targets/${target.id}`)).status, 204);
      for (const id of [1, 2, 3]) assert.match((await target.delivery(id, 'parked')).reason, /deleted/);
      assert.equal((await scene.event(`${target.type}-1`, 'dead')).state, 'dead');
      assert.equal((await scene.call('GET', `/v1/targets/${target.id}`)).status, 404);
      assert.equal((await scene.call('DELETE', `/v1/targets/${target.id}`)).status, 404);
      assert.equal((await target.patch({ concurrency: 1 })).status, 404);
      const [{ id }] = await target.deliveries();
      const replay = await scene.call('POST', `/v1/deliveries/${id}/replay`);
      assert.deepEqual([replay.status, replay.body.type], [409, '/problems/conflict']);
      await target.send('later');
      assert.equal((await settled(`${target.type}-later`)).state, 'no-target');
    });

    it('a target that is deleted in the middle of its work leaves nothing half-way', async () => {
      const target = await scene.target(() => ({ afterMs: 200 }), { concurrency: 2 });
      const numbers = Array.from({ length: 40 }, (_, index) => index);
      await scene.send(numbers.map((number) => ({ id: `${target.type}-${number}`, name: target.type })));
      await eventually(async () => target.received().length, Boolean);
      assert.equal((await scene.call('DELETE', `/v1/targets/${target.id}`)).status, 204);
      const ended = await eventually(
        () => target.deliveries(),
        (items) => items.length === 40 && items.every(({ state }) => state === 'delivered' || state === 'parked'),
      );
      assert.ok(ended.some(({ state }) => state === 'delivered') && ended.some(({ state }) => state === 'parked'));
    });
  });

  describe('that want everything', () => {
    it('`*` is all that sources send, `**` also what the server itself tells', async () => {
      const star = await scene.target(undefined, { types: ['*'] });
      const all = await scene.target(undefined, { types: ['**'], kind: 'graphql' });
      const dead = await scene.target(undefined, { types: ['delivery.dead'] });
      const refusing = await scene.target(() => ({ status: 422 }));
      await refusing.send('x');
      const { id } = await refusing.delivery('x', 'dead');
      await eventually(async () => dead.received().length, Boolean);
      const own = (list: Json[]) => list.filter(({ type }) => type === 'delivery.dead');
      const told = await eventually(
        async () => own(await all.deliveries()),
        (list) => list.length > 0,
      );
      assert.deepEqual(own(await star.deliveries()), []);
      assert.ok(idsOf(await star.deliveries()).includes(`${refusing.type}-x`));
      await eventually(
        () => scene.call('GET', `/v1/deliveries/${told[0]?.id}`),
        ({ body }) => body.state === 'delivered',
      );
      const inputs = all.received().map(({ json }) => (json as Json).variables.input);
      const fact = inputs.find(({ name, body }) => name === 'delivery.dead' && body.id === id);
      assert.deepEqual(Object.keys(fact).sort(), ['body', 'id', 'name', 'timestamp']);
      const { body: shown } = await scene.call('GET', `/v1/deliveries/${id}`);
      assert.deepEqual(fact.body, shown, 'the body is the resource as GET shows it');
    });

    it('a target has the documented defaults', async () => {
      const { status, body, headers } = await scene.call('POST', '/v1/targets', {
        name: 'defaults',
        kind: 'graphql',
        config: { url: scene.receiver.url },
        state: 'paused',
      });
      assert.equal(status, 201);
      assert.equal(headers.get('location'), `/v1/targets/${body.id}`);
      assert.match(body.id, /^tgt_/);
      const { id, createdAt, updatedAt, ...rest } = body;
      assert.equal(createdAt, updatedAt);
      assert.deepEqual(rest, {
        name: 'defaults',
        kind: 'graphql',
        types: ['*'],
        config: {
          url: scene.receiver.url,
          mutation: 'mutation ProcessEvent($input: ProcessEventInput!) { processEvent(input: $input) { id } }',
          variable: 'input',
          headers: {},
        },
        concurrency: 8,
        retry: { attempts: 10, minDelayMs: 1000, maxDelayMs: 3_600_000 },
        ordering: 'none',
        onDead: 'skip',
        timeoutMs: 15_000,
        state: 'paused',
      });
      assert.deepEqual((await scene.call('GET', `/v1/targets/${id}`)).body, body);
    });

    it('each field can be changed, and null brings back its default', async () => {
      const target = await scene.target();
      const changes: [Record<string, unknown>, unknown][] = [
        [{ types: ['a', 'b.*'] }, ['*']],
        [{ enrich: { brand: 'x', more: { a: 1 } } }, undefined],
        [{ transform: '{"id": id}' }, undefined],
        [{ rate: { requests: 5, intervalMs: 1000 } }, undefined],
        [{ concurrency: 3 }, 8],
        [{ retry: { attempts: 2, minDelayMs: 5, maxDelayMs: 50 } }, { attempts: 10, minDelayMs: 1000, maxDelayMs: 3_600_000 }],
        [{ ordering: 'key' }, 'none'],
        [{ onDead: 'park' }, 'skip'],
        [{ timeoutMs: 500 }, 15_000],
      ];
      for (const [change, fallback] of changes) {
        const [field = ''] = Object.keys(change);
        const changed = await target.patch(change);
        assert.equal(changed.status, 200, changed.text);
        assert.deepEqual(changed.body[field], change[field], field);
        const reset = await target.patch({ [field]: null });
        assert.deepEqual([reset.status, reset.body[field]], [200, fallback], field);
        assert.deepEqual((await scene.call('GET', `/v1/targets/${target.id}`)).body, reset.body);
      }
      const renamed = await target.patch({ name: `${target.name}-renamed` });
      assert.equal(renamed.body.name, `${target.name}-renamed`);
      assert.ok(renamed.body.updatedAt > target.made.updatedAt);
    });
  });
});

describe('targets where no private address is allowed', () => {
  let server: TestServer;
  let operator: string;
  before(async () => {
    server = await startServer({ env: { ENTREPOT_OUTBOUND_ALLOW: '' } });
    operator = await givenOperator(server);
  });
  after(() => server.stop());

  const make = (url: string) =>
    call(server, 'POST', '/v1/targets', { token: operator, body: { name: url.slice(0, 100), kind: 'webhook', config: { url } } });

  it('an address that is not public is refused, however it is written', async () => {
    const urls = [
      ...[
        'http://127.0.0.1:9/',
        'http://localhost:9/',
        'http://2130706433/',
        'http://0x7f.1/',
        'http://0/',
        'http://[::1]/',
        'http://[::ffff:127.0.0.1]/',
      ],
      ...['http://10.0.0.1/', 'http://172.16.0.1/', 'http://192.168.1.1/', 'http://100.64.0.1/', 'http://[fd00::1]/'],
      ...['http://169.254.169.254/latest/meta-data/', 'http://[fe80::1]/', 'http://224.0.0.1/', 'http://[::]/'],
    ];
    for (const url of urls) {
      const { status, body } = await make(url);
      assert.deepEqual([status, body.type], [400, '/problems/address-not-allowed'], url);
      assert.equal(body.errors[0].at, '/config/url');
    }
    assert.deepEqual((await call(server, 'GET', '/v1/targets', { token: operator })).body.items, []);
  });

  it('a public address is taken, and cannot be changed into a private one', async () => {
    const made = await make('https://8.8.8.8/hook');
    assert.equal(made.status, 201);
    const change = { token: operator, body: { config: { url: 'http://127.0.0.1:9/' } } };
    const patched = await call(server, 'PATCH', `/v1/targets/${made.body.id}`, change);
    assert.deepEqual([patched.status, patched.body.type], [400, '/problems/address-not-allowed']);
  });

  it('a target from a time when its address was allowed is not connected to any more, and its deliveries tell why', async (context) => {
    const open = await startScene();
    context.after(() => open.stop());
    const target = await open.target(undefined, { retry: { attempts: 1 } });
    await open.server.kill('SIGTERM');
    const closed = await startServer({ dataFolder: open.server.dataFolder, env: { ENTREPOT_OUTBOUND_ALLOW: '' } });
    context.after(() => closed.stop());
    const event = { id: 'late', name: target.type };
    assert.equal((await call(closed, 'POST', '/v1/events', { token: open.sender.token, body: event })).status, 202);
    const { body } = await eventually(
      () => call(closed, 'GET', '/v1/deliveries?state=dead', { token: open.operator }),
      (answer) => answer.body.items.length === 1,
    );
    assert.match(body.items[0].reason, /127\.0\.0\.1.*not public/);
    assert.equal(open.receiver.received.length, 0);
  });

  it('a target of the settings whose address is not allowed stops the start, and the message tells why', async () => {
    const starting = startServer({ env: { ENTREPOT_OUTBOUND_ALLOW: '', ENTREPOT_TARGET_GRAPHQL_URL: 'http://127.0.0.1:9/' } });
    await assert.rejects(starting, /ended with 69[\s\S]*127\.0\.0\.1[\s\S]*not public/);
  });
});
