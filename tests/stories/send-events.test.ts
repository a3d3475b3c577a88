import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, givenOperator, givenService, type Json } from '../support/given.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

let server: TestServer;
let source: Awaited<ReturnType<typeof givenService>>;
let other: Awaited<ReturnType<typeof givenService>>;

before(async () => {
  server = await startServer();
  const operator = await givenOperator(server);
  source = await givenService(server, operator, ['events:send', 'events:read']);
  other = await givenService(server, operator, ['events:send', 'events:read']);
});
after(() => server.stop());

const send = (body: unknown, type = 'application/json', token = source.token) =>
  call(server, 'POST', '/v1/events', { token, body, headers: { 'content-type': type } });
const sendLines = (lines: readonly string[]) => send(lines.join('\n'), 'application/x-ndjson');
const read = (id: string, query = '', token = source.token) =>
  call(server, 'GET', `/v1/events/${encodeURIComponent(id)}${query}`, { token });
const assertAbsent = async (...ids: string[]) => {
  for (const id of ids) assert.equal((await read(id)).status, 404, `${id} must not be there`);
};
const assertRefused = ({ status, body }: { status: number; body: Json }, wanted: number, kind: string, at?: string) => {
  assert.deepEqual([status, body?.type], [wanted, `/problems/${kind}`], JSON.stringify(body));
  if (at !== undefined)
    assert.ok(
      body.errors.some((fault: Json) => fault.at === at && fault.in === 'body'),
      JSON.stringify(body.errors),
    );
};
const textOfSize = (id: string, bytes: number) => {
  const start = `{"id":"${id}","name":"size.test","body":"`;
  return `${start}${'x'.repeat(bytes - start.length - 2)}"}`;
};
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('sending events', () => {
  it('one event is taken, and shown as it was sent with where it stands', async () => {
    const event = {
      id: 'one',
      name: 'order.created',
      body: { total: 1 },
      timestamp: '2026-11-02T09:00:00Z',
      key: 'k',
      data: null,
      colour: ['red'],
    };
    const { status, body } = await send(event);
    assert.equal(status, 202);
    assert.match(body.receivedAt, time);
    assert.deepEqual(body, { id: 'one', status: 'accepted', duplicate: false, receivedAt: body.receivedAt });
    const shown = await read('one');
    const { state, deliveries, ...rest } = shown.body;
    assert.deepEqual(rest, { ...event, sender: source.id, source: source.id, receivedAt: body.receivedAt });
    assert.ok(['accepted', 'no-target'].includes(state));
    assert.deepEqual(deliveries, []);
  });

  it('an array is taken as a whole and answered in its order', async () => {
    const { status, body } = await send(['c', 'a', 'b'].map((id) => ({ id: `array-${id}`, type: 'order.paid' })));
    assert.equal(status, 202);
    assert.deepEqual([body.accepted, body.duplicates], [3, 0]);
    assert.deepEqual(
      body.items.map(({ id, duplicate }: Json) => [id, duplicate]),
      [
        ['array-c', false],
        ['array-a', false],
        ['array-b', false],
      ],
    );
  });

  it('an array may have 1000 events, and one alone', async () => {
    const thousand = await send(Array.from({ length: 1000 }, (_, index) => ({ id: `thousand-${index}`, name: 'a' })));
    assert.deepEqual([thousand.status, thousand.body.accepted, thousand.body.items.length], [202, 1000, 1000]);
    const single = await send([{ id: 'alone', name: 'a' }]);
    assert.deepEqual([single.status, single.body.accepted, single.body.items.length], [202, 1, 1]);
  });

  it('a stream of NDJSON is taken line by line, whatever its line ends are and however long it is', async () => {
    const lines = Array.from({ length: 2500 }, (_, index) => `{"id":"line-${index}","name":"a"}`);
    const { status, body } = await send(`\n${lines.join('\r\n')}\n\n  \n{"id":"line-last","name":"ü😀"}`, 'application/x-ndjson');
    assert.deepEqual([status, body], [202, { accepted: 2501, duplicates: 0 }]);
    assert.equal((await read('line-last')).body.name, 'ü😀');
    const again = await sendLines([...lines, '{"id":"line-new","name":"a"}']);
    assert.deepEqual([again.status, again.body], [202, { accepted: 1, duplicates: 2500 }]);
  });

  it('more than 10 MiB is no trouble as NDJSON', async () => {
    const { status, body } = await sendLines(Array.from({ length: 44 }, (_, index) => textOfSize(`long-${index}`, 250_000)));
    assert.deepEqual([status, body], [202, { accepted: 44, duplicates: 0 }]);
  });

  it('an event has a name or a type, and any JSON as body and data; the type goes first', async () => {
    for (const [index, event] of [{ name: 'n' }, { type: 't' }, { type: 't', name: 'n' }].entries()) {
      for (const value of [null, true, 0, '', [], {}]) {
        const id = `form-${index}-${JSON.stringify(value)}`;
        assert.equal((await send({ id, ...event, body: value, data: value })).status, 202);
        const { body } = await read(id);
        assert.deepEqual([body.body, body.data], [value, value]);
      }
    }
    const list = await call(server, 'GET', '/v1/events?type=t&limit=200', { token: source.token });
    assert.equal(list.body.items.length, 12);
  });

  it('ids are 1 to 255 printable characters of any script', async () => {
    for (const id of ['a', '0', 'mit Leerzeichen', 'a/b?c#d%41', 'ü😀漢字', '-'.repeat(255), '😀'.repeat(255)]) {
      assert.equal((await send({ id, name: 'a' })).status, 202, id);
      assert.equal((await read(id)).body.id, id);
    }
    const wrong = ['', 'x'.repeat(256), 'a\u0000b', 'a\nb', 'a\u007fb', 'a\u2028b', '\ud800', 17, null, true, ['a'], undefined];
    for (const id of wrong) assertRefused(await send({ id, name: 'a' }), 400, 'bad-event', '/id');
  });
});

describe('an event that is sent again', () => {
  it('is a duplicate: 202, nothing changes, and the answer tells when it came first', async () => {
    const first = await send({ id: 'again', name: 'a', body: 1 });
    const second = await send({ id: 'again', name: 'b', body: 2 });
    assert.equal(second.status, 202);
    assert.deepEqual(second.body, { ...first.body, duplicate: true });
    assert.deepEqual([(await read('again')).body.name, (await read('again')).body.body], ['a', 1]);
  });

  it('is found within an array, too, whether it came before or stands there twice', async () => {
    await send({ id: 'dup-old', name: 'a' });
    const { status, body } = await send(['dup-new', 'dup-old', 'dup-new', 'dup-new'].map((id, index) => ({ id, name: 'a', body: index })));
    assert.equal(status, 202);
    assert.deepEqual([body.accepted, body.duplicates], [1, 3]);
    assert.deepEqual(
      body.items.map(({ duplicate }: Json) => duplicate),
      [false, true, true, true],
    );
    assert.equal(new Set(body.items.filter(({ id }: Json) => id === 'dup-new').map(({ receivedAt }: Json) => receivedAt)).size, 1);
    assert.equal((await read('dup-new')).body.body, 0);
  });

  it('is found in NDJSON, too', async () => {
    const { body } = await sendLines(['{"id":"dup-line","name":"a"}', '{"id":"dup-line","name":"b"}']);
    assert.deepEqual(body, { accepted: 1, duplicates: 1 });
  });

  it('many times at once is taken once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => send({ id: 'race', name: 'a', body: index })));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
    assert.equal(answers.filter(({ body }) => !body.duplicate).length, 1);
    assert.equal(new Set(answers.map(({ body }) => body.receivedAt)).size, 1);
  });

  it('by another sender is another event, and each sees its own first', async () => {
    await send({ id: 'shared', name: 'a', body: 'ours' });
    const theirs = await send({ id: 'shared', name: 'a', body: 'theirs' }, 'application/json', other.token);
    assert.equal(theirs.body.duplicate, false);
    assert.equal((await read('shared')).body.body, 'ours');
    assert.equal((await read('shared', '', other.token)).body.body, 'theirs');
    assert.equal((await read('shared', `?sender=${other.id}`)).body.body, 'theirs');
    assert.equal((await read('shared', `?sender=${source.id}`, other.token)).body.body, 'ours');
  });

  it('from another CloudEvents source is another event', async () => {
    const cloud = (from: string, data: string) =>
      send({ specversion: '1.0', id: 'by-source', source: from, type: 'a', data }, 'application/cloudevents+json');
    assert.equal((await cloud('/a', 'A')).body.duplicate, false);
    assert.equal((await cloud('/b', 'B')).body.duplicate, false);
    assert.equal((await send({ id: 'by-source', name: 'a', data: 'plain' })).body.duplicate, false);
    assert.equal((await cloud('/a', 'A again')).body.duplicate, true);
    for (const [from, data] of [
      ['/a', 'A'],
      ['/b', 'B'],
      [source.id, 'plain'],
    ] as const) {
      const { body } = await read('by-source', `?source=${encodeURIComponent(from)}`);
      assert.deepEqual([body.data, body.source], [data, from]);
    }
  });
});

describe('events that are refused', () => {
  it('an array without events, or with more than 1000, is refused whole', async () => {
    assertRefused(await send([]), 400, 'bad-event');
    assertRefused(await send(Array.from({ length: 1001 }, (_, index) => ({ id: `many-${index}`, name: 'a' }))), 400, 'bad-event');
    await assertAbsent('many-0', 'many-1000');
  });

  it('one wrong event refuses all of its array, and every fault is named by its index', async () => {
    const good = Array.from({ length: 20 }, (_, index): Json => ({ id: `good-${index}`, name: 'a' }));
    const answer = await send(good.with(17, { name: 'a' }).with(3, { id: 'x', name: 5, key: '' }).with(5, 'text').with(6, null));
    assertRefused(answer, 400, 'bad-event');
    assert.deepEqual(
      answer.body.errors.map(({ at }: Json) => at),
      ['/3/name', '/3/key', '/5', '/6', '/17/id'],
    );
    await assertAbsent('good-0', 'good-19');
  });

  it('what is no event is refused with every fault', async () => {
    assertRefused(await send({ id: 'nameless' }), 400, 'bad-event', '/name');
    assertRefused(await send({ name: 'a' }), 400, 'bad-event', '/id');
    assertRefused(await send({ id: 'k', name: 'a', key: 7 }), 400, 'bad-event', '/key');
    assertRefused(await send({ id: 'k', name: 'a', type: null }), 400, 'bad-event', '/type');
    for (const timestamp of ['yesterday', '2026-11-02', '2026-11-02T09:00:00', '2026-13-02T09:00:00Z', 1730538000, null])
      assertRefused(await send({ id: 't', name: 'a', timestamp }), 400, 'bad-event', '/timestamp');
    for (const body of ['"text"', '17', 'true', 'null']) assertRefused(await send(body), 400, 'bad-event');
    const two = await send({ timestamp: 'x' });
    assert.deepEqual(two.body.errors.map(({ at }: Json) => at).sort(), ['/id', '/name', '/timestamp']);
  });

  it('invalid JSON is refused with the position, an empty body as well', async () => {
    const { status, body } = await send('{"id":"a",\n"name":}');
    assertRefused({ status, body }, 400, 'bad-json');
    assert.equal(body.position, 18);
    assert.match(body.detail, /line 2, column 8/);
    assert.equal((await send('')).status, 400);
    assertRefused(await send('{"id":"a","name":"b"} {"id":"c","name":"d"}'), 400, 'bad-json');
  });

  it('a bad line of NDJSON ends the stream: it is named, `accepted` counts what is durable, and that much is there', async () => {
    const lines = Array.from({ length: 1500 }, (_, index) => `{"id":"cut-${index}","name":"a"}`);
    for (const [bad, kind, prefix] of [
      ['{"id":', 'bad-json', 'p'],
      ['{"id":"x"}', 'bad-event', 'q'],
      ['{"id":"x","name":"file.stored"}', 'reserved-type', 'r'],
      ['[1]', 'bad-event', 's'],
    ] as const) {
      const named = lines.map((line) => line.replace('cut-', `cut-${prefix}-`));
      const { status, body } = await sendLines([...named.slice(0, 1200), '', bad, ...named.slice(1200)]);
      assertRefused({ status, body }, 400, kind);
      assert.ok(body.errors[0].at.startsWith('/1202'), JSON.stringify(body.errors));
      assert.equal(body.accepted, 1200);
      assert.equal((await read(`cut-${prefix}-1199`)).status, 200);
      await assertAbsent(`cut-${prefix}-1200`);
    }
    assert.deepEqual([(await sendLines(['', ''])).status, (await sendLines(['', ''])).body.accepted], [400, 0]);
  });

  it('the types of our own facts cannot be sent, in whatever form', async () => {
    const reserved =
      'file.stored file.rejected file.fetched file.trashed file.restored file.deleted share.created share.opened record.stored report.computed target.paused delivery.dead';
    for (const type of reserved.split(' ')) assertRefused(await send({ id: 'reserved', type }), 400, 'reserved-type', '/type');
    assertRefused(await send({ id: 'reserved', name: 'file.stored' }), 400, 'reserved-type', '/name');
    assertRefused(
      await send([
        { id: 'before', name: 'a' },
        { id: 'reserved', type: 'delivery.dead' },
      ]),
      400,
      'reserved-type',
      '/1/type',
    );
    const cloud = { specversion: '1.0', id: 'reserved', source: '/s', type: 'file.stored' };
    assertRefused(await send(cloud, 'application/cloudevents+json'), 400, 'reserved-type', '/type');
    await assertAbsent('reserved', 'before');
    assert.equal((await send({ id: 'free', type: 'order', name: 'file.stored' })).status, 202, 'the type routes, the name is only a name');
  });

  it('an event may have 256 KiB and no byte more; nothing of its request is taken then', async () => {
    const limit = 256 * 1024;
    assert.equal((await send(textOfSize('fits', limit))).status, 202);
    assertRefused(await send(textOfSize('too-big', limit + 1)), 413, 'too-large');
    assertRefused(await send(`[{"id":"small","name":"a"},${textOfSize('too-big', limit + 1)}]`), 413, 'too-large', '/1');
    const lines = await sendLines(['{"id":"small-line","name":"a"}', textOfSize('too-big', limit + 1)]);
    assertRefused(lines, 413, 'too-large', '/2');
    assert.equal(lines.body.accepted, 1);
    await assertAbsent('too-big', 'small');
    assert.equal((await read('small-line')).status, 200);
    const multiByte = `{"id":"too-wide","name":"a","body":"${'ü'.repeat(limit / 2)}"}`;
    assertRefused(await send(multiByte), 413, 'too-large');
  });

  it('a request may have 10 MiB, whether it tells its length or comes in chunks', async () => {
    const events = Array.from({ length: 45 }, (_, index) => textOfSize(`mass-${index}`, 250_000));
    assertRefused(await send(`[${events.join(',')}]`), 413, 'too-large');
    const chunked = await fetch(`${server.url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${source.token}`, 'content-type': 'application/json' },
      body: ReadableStream.from(
        (async function* () {
          yield new TextEncoder().encode('[');
          for (const event of events) yield new TextEncoder().encode(`${event},`);
          yield new TextEncoder().encode('{"id":"mass-last","name":"a"}]');
        })(),
      ),
      duplex: 'half',
    });
    assert.equal(chunked.status, 413);
    await assertAbsent('mass-0', 'mass-last');
    const fits = await send(`[${events.slice(0, 41).join(',')}]`);
    assert.deepEqual([fits.status, fits.body.accepted], [202, 41]);
  });

  it('other content types are 415, with those that are taken', async () => {
    for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'application/merge-patch+json']) {
      const answer = await send('{"id":"typed","name":"a"}', type);
      assertRefused(answer, 415, 'unsupported-type');
      assert.match(answer.body.detail, /application\/json.*application\/x-ndjson.*cloudevents/s);
    }
    assertRefused(await send('{"id":"typed","name":"a"}', 'nonsense'), 415, 'unsupported-type');
    await assertAbsent('typed');
    assert.equal((await send('{"id":"typed","name":"a"}', 'application/json; charset=utf-8')).status, 202);
  });

  it('nesting may be 32 levels deep', async () => {
    const nested = (id: string, levels: number) => `{"id":"${id}","name":"a","body":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    assert.equal((await send(nested('deep-32', 32))).status, 202);
    assertRefused(await send(nested('deep-33', 33)), 400, 'bad-json');
    assert.equal((await sendLines([nested('deep-line-32', 32)])).status, 202);
    assertRefused(await sendLines([nested('deep-line-33', 33)]), 400, 'bad-json', '/1');
    assertRefused(await send(nested('deep-100000', 100_000)), 400, 'bad-json');
    await assertAbsent('deep-33', 'deep-line-33');
  });
});

describe('who may send and read', () => {
  it('a service that may only send cannot read, one that may only read cannot send', async () => {
    const operator = await givenOperator(server);
    const sender = await givenService(server, operator, ['events:send']);
    const reader = await givenService(server, operator, ['events:read']);
    assert.equal((await send({ id: 'scoped', name: 'a' }, 'application/json', sender.token)).status, 202);
    for (const path of ['/v1/events', '/v1/events/scoped', '/v1/events/live', '/v1/deliveries', '/v1/flow']) {
      const { status, body, headers } = await call(server, 'GET', path, { token: sender.token });
      assert.deepEqual([status, body.type, body.scope], [403, '/problems/not-allowed', 'events:read'], path);
      assert.match(headers.get('www-authenticate') ?? '', /insufficient_scope/);
    }
    assert.equal((await call(server, 'GET', '/v1/trace/scoped', { token: sender.token })).body.scope, 'trace:read');
    assert.equal((await read('scoped', '', reader.token)).status, 200);
    assertRefused(await send({ id: 'unscoped', name: 'a' }, 'application/json', reader.token), 403, 'not-allowed');
    assert.equal((await call(server, 'GET', '/v1/targets', { token: reader.token })).body.scope, 'targets:manage');
  });
});
