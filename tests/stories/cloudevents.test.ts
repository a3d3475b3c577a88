import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CloudEvent, HTTP } from 'cloudevents';
import { type Answer, call, givenOperator, givenService, givenTarget, type Json } from '../support/given.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const structured = 'application/cloudevents+json';
const batch = 'application/cloudevents-batch+json';

describe('CloudEvents 1.0', () => {
  let server: TestServer;
  let webhook: Receiver;
  let token: string;

  before(async () => {
    server = await startServer();
    webhook = await startReceiver();
    const operator = await givenOperator(server);
    token = (await givenService(server, operator, ['events:send', 'events:read'])).token;
    await givenTarget(server, operator, { kind: 'webhook', config: { url: webhook.url } });
  });
  after(async () => {
    await server.stop();
    await webhook.stop();
  });

  const post = (headers: Readonly<Record<string, string>>, body: string | Uint8Array<ArrayBuffer>): Promise<Answer> =>
    typeof body === 'string'
      ? call(server, 'POST', '/v1/events', { token, body, headers })
      : fetch(`${server.url}/v1/events`, { method: 'POST', headers: { ...headers, authorization: `Bearer ${token}` }, body }).then(
          async (response) => {
            const text = await response.text();
            return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
          },
        );
  /** As a client library sends it. */
  const sendMessage = ({ headers, body }: { headers: Record<string, unknown>; body: unknown }) =>
    post(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])), String(body));
  const sendJson = (body: unknown, type = structured) => post({ 'content-type': type }, JSON.stringify(body));
  const read = async (id: string): Promise<Json> => (await call(server, 'GET', `/v1/events/${id}`, { token })).body;
  const arrived = async (id: string): Promise<Json> => {
    const find = () => webhook.received.map(({ json }) => json as Json).find(({ data }) => data.id === id);
    await webhook.waitFor(() => find() !== undefined, 30_000);
    return find();
  };
  const sample = (id: string) =>
    new CloudEvent({
      id,
      source: '/shop/orders',
      type: 'com.example.order.created',
      subject: 'order 17',
      time: '2026-11-02T09:00:00.000Z',
      data: { total: 12.5, text: 'ü😀' },
      partitionkey: 'customer-4',
      comexampleextension: 'value',
    });

  it('a client library sends structured events', async () => {
    const event = sample('structured');
    assert.equal((await sendMessage(HTTP.structured(event))).status, 202);
    const shown = await read('structured');
    assert.deepEqual([shown.source, shown.type, shown.partitionkey], ['/shop/orders', 'com.example.order.created', 'customer-4']);
    assert.deepEqual(shown.data, event.data);
  });

  it('a client library sends events in binary mode', async () => {
    assert.equal((await sendMessage(HTTP.binary(sample('binary')))).status, 202);
    const shown = await read('binary');
    assert.deepEqual(shown.data, { total: 12.5, text: 'ü😀' });
    assert.deepEqual(
      [shown.subject, shown.comexampleextension, shown.datacontenttype],
      ['order 17', 'value', 'application/json; charset=utf-8'],
    );
  });

  it('what a target gets is a valid CloudEvent again, equal to what the client library sent', async () => {
    for (const id of ['structured', 'binary']) {
      const { type, data } = await arrived(id);
      assert.equal(type, 'com.example.order.created');
      const received = new CloudEvent(data, true);
      assert.ok(received.validate());
      assert.deepEqual({ ...received.toJSON(), datacontenttype: undefined }, { ...sample(id).toJSON(), datacontenttype: undefined });
    }
  });

  it('a batch is an array: all or none', async () => {
    const { status, body } = await sendJson([sample('batch-1'), sample('batch-2')], batch);
    assert.deepEqual([status, body.accepted, body.items.length], [202, 2, 2]);
    const wrong = await sendJson([sample('batch-3'), { ...sample('batch-4').toJSON(), source: undefined }], batch);
    assert.deepEqual([wrong.status, wrong.body.type, wrong.body.errors[0].at], [400, '/problems/bad-event', '/1/source']);
    assert.equal((await call(server, 'GET', '/v1/events/batch-3', { token })).status, 404);
    assert.equal((await sendJson(sample('no-batch'), batch)).status, 400, 'one event is no batch');
    assert.equal((await sendJson([sample('no-single')], structured)).status, 400, 'a batch is not one event');
    assert.equal((await sendJson([], batch)).status, 400);
  });

  it('the batch media type with parameters is still a batch', async () => {
    assert.equal((await sendJson([sample('batch-5')], `${batch}; charset=utf-8`)).body.accepted, 1);
  });

  it('attributes in headers are percent-encoded UTF-8', async () => {
    const headers = {
      'ce-specversion': '1.0',
      'ce-id': 'encoded',
      'ce-source': '/a%20b/%E2%82%AC',
      'ce-type': 't',
      'ce-subject': '"quoted%22"',
    };
    assert.equal((await post({ ...headers, 'content-type': 'application/json' }, '1.10')).status, 202);
    const shown = await call(server, 'GET', '/v1/events/encoded', { token });
    assert.deepEqual([shown.body.source, shown.body.subject], ['/a b/€', 'quoted"']);
    assert.ok(shown.text.includes('"data":1.10'));
    const broken = await post({ ...headers, 'ce-id': '%zz', 'content-type': 'application/json' }, '1');
    assert.deepEqual([broken.status, broken.body.errors[0].in, broken.body.errors[0].at], [400, 'header', '/ce-id']);
  });

  it('data of any type comes in binary mode: text as text, bytes as base64, nothing as no data', async () => {
    const headers = (id: string) => ({ 'ce-specversion': '1.0', 'ce-id': id, 'ce-source': '/s', 'ce-type': 't' });
    assert.equal((await post({ ...headers('text'), 'content-type': 'text/plain' }, 'hello ü')).status, 202);
    assert.equal((await post({ ...headers('bytes'), 'content-type': 'image/png' }, new Uint8Array([0, 255, 128]))).status, 202);
    assert.equal((await post({ ...headers('xml'), 'content-type': 'application/xml' }, '<a/>')).status, 202);
    assert.deepEqual([(await read('text')).data, (await read('text')).datacontenttype], ['hello ü', 'text/plain']);
    assert.equal((await read('bytes')).data_base64, 'AP+A');
    assert.equal(Buffer.from((await read('xml')).data_base64, 'base64').toString(), '<a/>');
    const empty = await call(server, 'POST', '/v1/events', { token, headers: headers('empty') });
    assert.equal(empty.status, 202, empty.text);
    assert.equal('data' in (await read('empty')), false);
    const cut = await post({ ...headers('cut'), 'content-type': 'application/json' }, '{"a":');
    assert.deepEqual([cut.status, cut.body.type], [400, '/problems/bad-json']);
    const big = await post({ ...headers('big'), 'content-type': 'text/plain' }, 'x'.repeat(256 * 1024 + 1));
    assert.deepEqual([big.status, big.body.type], [413, '/problems/too-large']);
  });

  it('events that break the specification are refused with each fault', async () => {
    const good = { specversion: '1.0', id: 'bad', source: '/s', type: 't' };
    const faulty: [Record<string, unknown>, string][] = [
      [{ specversion: '0.3' }, '/specversion'],
      [{ id: '' }, '/id'],
      [{ source: undefined }, '/source'],
      [{ type: 5 }, '/type'],
      [{ time: 'now' }, '/time'],
      [{ partitionkey: '' }, '/partitionkey'],
      [{ 'Upper-Case': 'x' }, '/Upper-Case'],
      [{ extension: { a: 1 } }, '/extension'],
      [{ data: 1, data_base64: 'AA==' }, '/data_base64'],
    ];
    for (const [change, at] of faulty) {
      const { status, body } = await sendJson({ ...good, ...change });
      assert.deepEqual([status, body.type], [400, '/problems/bad-event'], at);
      assert.ok(
        body.errors.some((fault: Json) => fault.at === at),
        JSON.stringify(body.errors),
      );
    }
    assert.equal((await call(server, 'GET', '/v1/events/bad', { token })).status, 404);
    const old = await post(
      { 'ce-specversion': '0.3', 'ce-id': 'bad', 'ce-source': '/s', 'ce-type': 't', 'content-type': 'application/json' },
      '1',
    );
    assert.equal(old.status, 400);
  });

  it('an event without content type of its own is told by its headers, not by its body', async () => {
    const headers = {
      'ce-specversion': '1.0',
      'ce-id': 'by-header',
      'ce-source': '/s',
      'ce-type': 't',
      'content-type': 'application/json',
    };
    assert.equal((await post(headers, '{"id":"by-body","name":"n"}')).status, 202);
    assert.deepEqual((await read('by-header')).data, { id: 'by-body', name: 'n' });
    assert.equal((await call(server, 'GET', '/v1/events/by-body', { token })).status, 404);
  });
});
