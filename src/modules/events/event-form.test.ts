import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../foundation/problem.ts';
import { batchType, fromBinaryMode, isBinaryMode, structuredType } from './cloudevents.ts';
import { readArray, readLine, readOne } from './event-body.ts';
import { type Checked, checkCloudEvent, checkEvent } from './event-form.ts';
import { readParsed } from './receive-events.ts';

const faultsOf = (checked: Checked): Record<string, string> =>
  'faults' in checked ? Object.fromEntries(checked.faults.map(({ at, why }) => [at, why])) : {};
const check = (value: unknown, at = '') => checkEvent(value, JSON.stringify(value), at);
const checkCloud = (value: unknown) => checkCloudEvent(value, JSON.stringify(value), '');
const problemOf = (act: () => unknown): Problem => {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof Problem, String(error));
    return error;
  }
  return assert.fail('nothing was refused');
};

const plain = { id: 'order-1', name: 'order.created', body: { a: 1 }, timestamp: '2026-11-02T09:00:00.000Z' };

test('an event is taken as it was sent; its type, else its name, routes it', () => {
  const checked = check({ ...plain, key: 'k', whatever: [1] });
  assert.ok('event' in checked);
  const { content, ...event } = checked.event;
  assert.deepEqual(event, { id: 'order-1', type: 'order.created', key: 'k', source: undefined });
  assert.deepEqual(JSON.parse(content), { ...plain, key: 'k', whatever: [1] });
  const typed = check({ ...plain, type: 'order.v2' });
  assert.ok('event' in typed && typed.event.type === 'order.v2');
  assert.ok('event' in check({ id: '1', type: 'x' }), 'a name is not needed beside a type');
});

test('every fault of an event is named with its place', () => {
  const names = (value: unknown) => Object.keys(faultsOf(check(value, '/3'))).toSorted();
  assert.deepEqual(names({}), ['/3/id', '/3/name']);
  assert.deepEqual(names({ id: 1, name: '', type: null, key: {}, timestamp: 'yesterday' }), [
    '/3/id',
    '/3/key',
    '/3/name',
    '/3/timestamp',
    '/3/type',
  ]);
  for (const value of [null, 1, 'x', [], true]) assert.deepEqual(names(value), ['/3']);
  assert.deepEqual(Object.keys(faultsOf(check(null))), ['/'], 'the body itself');
});

test('ids, names and keys are 1 to 255 printable characters', () => {
  for (const id of ['a', 'ä', '𝄞'.repeat(255), 'x'.repeat(255), 'with space', '"\\/']) assert.ok('event' in check({ ...plain, id }), id);
  for (const id of ['', 'x'.repeat(256), 'a\nb', 'a\u0000', '\u2028', '\ud800', 'a\u007f', 1, null]) {
    assert.ok('faults' in check({ ...plain, id }), JSON.stringify(id));
    assert.ok('faults' in check({ ...plain, key: id }), JSON.stringify(id));
  }
});

test('a timestamp is an RFC 3339 time that exists, with a zone', () => {
  const good = [
    '2026-11-02T09:00:00Z',
    '2026-11-02t09:00:00.123456789+05:30',
    '2026-11-02 09:00:00z',
    '2024-02-29T00:00:00Z',
    '2016-12-31T23:59:60Z',
  ];
  for (const timestamp of good) assert.deepEqual(faultsOf(check({ ...plain, timestamp })), {}, timestamp);
  const bad = [
    '2026-11-02',
    '2026-11-02T09:00:00',
    '2026-13-02T09:00:00Z',
    '2026-02-29T09:00:00Z',
    '2026-04-31T09:00:00Z',
    '2026-11-02T25:00:00Z',
  ];
  for (const timestamp of [...bad, '', 'now', 1_767_225_600_000, null]) {
    assert.deepEqual(Object.keys(faultsOf(check({ ...plain, timestamp }))), ['/timestamp'], String(timestamp));
  }
});

const cloud = { specversion: '1.0', id: 'c1', source: '/shop', type: 'order.created', data: { a: 1 } };

test('a CloudEvent is identified by its source and id, and ordered by its partition key', () => {
  const checked = checkCloud({ ...cloud, partitionkey: 'k', time: '2026-11-02T09:00:00Z', subject: 's', myext1: 5 });
  assert.ok('event' in checked);
  assert.deepEqual([checked.event.id, checked.event.source, checked.event.type, checked.event.key], ['c1', '/shop', 'order.created', 'k']);
});

test('what CloudEvents 1.0 does not allow is refused by name', () => {
  const names = (over: object) => Object.keys(faultsOf(checkCloud({ ...cloud, ...over }))).toSorted();
  assert.deepEqual(names({ specversion: '0.3' }), ['/specversion']);
  assert.deepEqual(names({ id: undefined, source: '', type: 7 }), ['/id', '/source', '/type']);
  assert.deepEqual(names({ time: 'noon', partitionkey: 1 }), ['/partitionkey', '/time']);
  assert.deepEqual(names({ data_base64: 'AA==' }), ['/data_base64']);
  assert.deepEqual(names({ data: undefined, data_base64: 5 }), ['/data_base64']);
  assert.deepEqual(names({ camelCase: 1, 'with-dash': 1 }), ['/camelCase', '/with-dash']);
  assert.deepEqual(names({ extension: { nested: true } }), ['/extension']);
  assert.deepEqual(names({ time: null, partitionkey: null }), []);
});

test('in binary mode the attributes come from headers, percent-decoded, and the body is the data as it came', () => {
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': '"quoted \\" id"',
    'ce-source': '/caf%C3%A9',
    'ce-type': 'order.created',
    'content-type': 'application/json; charset=utf-8',
  };
  assert.ok(isBinaryMode(headers));
  assert.ok(!isBinaryMode({ 'content-type': structuredType }));
  const text = fromBinaryMode(headers, Buffer.from(' {"price": 1.10, "n": 12345678901234567890} '));
  assert.ok(text.includes('"data":{"price": 1.10, "n": 12345678901234567890}'), text);
  const event = JSON.parse(text);
  assert.deepEqual([event.id, event.source, event.datacontenttype], ['quoted " id', '/café', 'application/json; charset=utf-8']);
  const data = (type: string, body: string | Buffer) => JSON.parse(fromBinaryMode({ ...headers, 'content-type': type }, Buffer.from(body)));
  assert.equal(data('text/plain', 'hä').data, 'hä');
  assert.deepEqual(data('application/vnd.shop+json', '[1]').data, [1]);
  assert.equal(data('image/png', Buffer.from([0xff, 0x00])).data_base64, '/wA=');
  const { 'content-type': _type, ...bare } = headers;
  assert.ok(!('data' in JSON.parse(fromBinaryMode(bare, Buffer.alloc(0)))));
  assert.equal(problemOf(() => fromBinaryMode(headers, Buffer.from('{'))).kind, 'bad-json');
  assert.equal(problemOf(() => fromBinaryMode({ ...headers, 'ce-id': '%E4' }, Buffer.alloc(0))).extras.errors?.[0]?.at, '/ce-id');
});

test('an array is taken whole or not at all, and each fault is named with its index', () => {
  const list = [plain, { ...plain, id: '' }, { name: 'x' }];
  const problem = problemOf(() => readArray(list, JSON.stringify(list), checkEvent));
  assert.equal(problem.kind, 'bad-event');
  assert.deepEqual(
    problem.extras.errors?.map(({ at }) => at),
    ['/1/id', '/2/id'],
  );
  const taken = readArray([plain, { ...plain, id: '2' }], ` [${JSON.stringify(plain)}, {"id":"2","name":"x","n":1.10} ] `, checkEvent);
  assert.equal(taken[1]?.content, '{"id":"2","name":"x","n":1.10}');
  for (const length of [0, 1001]) {
    const many = Array.from({ length }, (_, index) => ({ ...plain, id: String(index) }));
    assert.equal(problemOf(() => readArray(many, JSON.stringify(many), checkEvent)).kind, 'bad-event');
  }
  const most = Array.from({ length: 1000 }, (_, index) => ({ ...plain, id: String(index) }));
  assert.equal(readArray(most, JSON.stringify(most), checkEvent).length, 1000);
});

test('an event of up to 256 KiB is taken, counted in bytes; a larger one is refused', () => {
  const ofBytes = (bytes: number, filler: string) => {
    const empty = Buffer.byteLength(JSON.stringify({ ...plain, body: '' }));
    return { ...plain, body: filler.repeat((bytes - empty) / Buffer.byteLength(filler)) };
  };
  const limit = 256 * 1024;
  const take = (value: object) => readOne(value, JSON.stringify(value), '', checkEvent);
  assert.equal(Buffer.byteLength(take(ofBytes(limit, 'x')).content), limit);
  assert.equal(problemOf(() => take(ofBytes(limit + 1, 'x'))).kind, 'too-large');
  assert.equal(problemOf(() => take(ofBytes(limit + 3, '€'))).kind, 'too-large');
});

test("types of the server's own facts are refused, by whichever field they come", () => {
  const byType = problemOf(() => readOne({ ...plain, type: 'file.stored' }, '{}', '', checkEvent));
  assert.deepEqual([byType.kind, byType.extras.errors?.[0]?.at], ['reserved-type', '/type']);
  const byName = problemOf(() => readArray([plain, { ...plain, name: 'delivery.dead' }], '[{},{}]', checkEvent));
  assert.deepEqual([byName.kind, byName.extras.errors?.[0]?.at], ['reserved-type', '/1/name']);
});

test('a line of NDJSON that is no JSON, or is nested too deeply, is refused with its number', () => {
  assert.equal(readLine(JSON.stringify(plain), 7, checkEvent).id, 'order-1');
  const faultAt = (text: string) => {
    const { kind, extras } = problemOf(() => readLine(text, 7, checkEvent));
    return [kind, extras.errors?.[0]?.at];
  };
  assert.deepEqual(faultAt('{"id":'), ['bad-json', '/7']);
  assert.deepEqual(faultAt(`{"id":"1","name":"x","body":${'['.repeat(32)}${']'.repeat(32)}}`), ['bad-json', '/7']);
  assert.deepEqual(faultAt('{"name":"x"}'), ['bad-event', '/7/id']);
});

test('each media type is read in its own form', () => {
  const read = (type: string, value: unknown) => readParsed(type, value, JSON.stringify(value));
  assert.equal(read('application/json', plain).length, 1);
  assert.equal(read('application/json', [plain, plain]).length, 2);
  assert.equal(read(structuredType, cloud)[0]?.source, '/shop');
  assert.equal(read(batchType, [cloud, cloud]).length, 2);
  assert.equal(problemOf(() => read(batchType, cloud)).kind, 'bad-event');
  assert.equal(problemOf(() => read(structuredType, plain)).kind, 'bad-event');
});
