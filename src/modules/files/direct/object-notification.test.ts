import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../../foundation/problem.ts';
import { readNotification } from './object-notification.ts';

const id = 'file_01k8t3w0e5f6g7h8j9kamn0pqr';

/** As S3 sends it. */
const record = (eventName: string, key: string) => ({
  eventVersion: '2.1',
  eventSource: 'aws:s3',
  awsRegion: 'eu-central-1',
  eventTime: '2026-11-25T12:00:00.123Z',
  eventName,
  userIdentity: { principalId: 'AWS:AROAEXAMPLE:web' },
  requestParameters: { sourceIPAddress: '192.0.2.17' },
  responseElements: { 'x-amz-request-id': 'C3D13FE58DE4C810', 'x-amz-id-2': 'FMyUVURIY8' },
  s3: {
    s3SchemaVersion: '1.0',
    configurationId: 'uploads',
    bucket: { name: 'media', ownerIdentity: { principalId: 'A3NL1KOZZKExample' }, arn: 'arn:aws:s3:::media' },
    object: { key, size: 1024, eTag: 'd41d8cd98f00b204e9800998ecf8427e', sequencer: '0055AED6DCD90281E5' },
  },
});

const faultsOf = (body: unknown): string[] => {
  try {
    readNotification(body);
  } catch (error) {
    assert.ok(error instanceof Problem && error.kind === 'bad-body');
    return (error.extras.errors ?? []).map(({ at }) => at);
  }
  return assert.fail('it was taken');
};

test('S3 tells in records, whatever made the object, with keys as in forms', () => {
  const body = {
    Records: [
      record('ObjectCreated:Put', `in/2026/${id}`),
      record('ObjectCreated:CompleteMultipartUpload', 'a+b/caf%C3%A9+%2B1.png'),
      record('ObjectRemoved:Delete', 'gone'),
      record('ObjectCreated:Copy', 'copy'),
    ],
  };
  assert.deepEqual(readNotification(body), [
    { bucket: 'media', key: `in/2026/${id}` },
    { bucket: 'media', key: 'a b/café +1.png' },
    { bucket: 'media', key: 'copy' },
  ]);
  assert.deepEqual(
    readNotification({ Service: 'Amazon S3', Event: 's3:TestEvent', Time: '2026-11-25T12:00:00.000Z', Bucket: 'media' }),
    [],
  );
  assert.deepEqual(readNotification({ Records: [] }), []);
});

test('EventBridge wraps one event, with the key as it is', () => {
  const event = (type: string) => ({
    version: '0',
    id: '17793124-05d4-b198-2fde-7ededc63b103',
    'detail-type': type,
    source: 'aws.s3',
    account: '111122223333',
    time: '2026-11-25T12:00:00Z',
    region: 'eu-central-1',
    resources: ['arn:aws:s3:::media'],
    detail: {
      version: '0',
      bucket: { name: 'media' },
      object: { key: `in/a+b %/${id}`, size: 5, etag: 'b1946ac92492d2347c6235b4d2611184', sequencer: '00617F08299329D189' },
      'request-id': 'N4N7GDK58NMKJ12R',
      requester: '123456789012',
      reason: 'PutObject',
    },
  });
  assert.deepEqual(readNotification(event('Object Created')), [{ bucket: 'media', key: `in/a+b %/${id}` }]);
  assert.deepEqual(readNotification(event('Object Deleted')), []);
});

test('MinIO says the same as S3, and the key once more beside the records', () => {
  const body = { EventName: 's3:ObjectCreated:Put', Key: `media/in/${id}`, Records: [record('s3:ObjectCreated:Put', `in%2F${id}`)] };
  assert.deepEqual(readNotification(body), [{ bucket: 'media', key: `in/${id}` }]);
  const read = { EventName: 's3:ObjectAccessed:Get', Key: 'media/x', Records: [record('s3:ObjectAccessed:Get', 'x')] };
  assert.deepEqual(readNotification(read), []);
});

test('the filer of SeaweedFS tells of every entry, by its path', () => {
  const change = (type: string, path: string, message: object = {}) => ({ key: path, event_type: type, message });
  const entry = { name: id, attributes: { file_size: 1024, mime: 'image/png' }, chunks: [] };
  const created = { bucket: 'media', key: `in/${id}` };
  assert.deepEqual(readNotification(change('create', `/buckets/media/in/${id}`, { new_entry: entry })), [created]);
  assert.deepEqual(readNotification(change('update', `/buckets/media/in/${id}`, { old_entry: entry, new_entry: entry })), [created]);
  const moved = { old_entry: entry, new_entry: entry, new_parent_path: '/buckets/media/in' };
  assert.deepEqual(readNotification(change('rename', `/buckets/media/.uploads/${id}`, moved)), [created]);
  assert.deepEqual(readNotification(change('delete', `/buckets/media/in/${id}`, { old_entry: entry })), []);
  assert.deepEqual(readNotification(change('create', '/buckets/media/in', { new_entry: { name: 'in', is_directory: true } })), []);
  assert.deepEqual(readNotification(change('create', `/elsewhere/${id}`, { new_entry: entry })), [{ key: `/elsewhere/${id}` }]);
});

test('what is no notification is refused, naming what is wrong', () => {
  for (const body of [undefined, null, 17, 'text', [], {}, { id: 'order-1' }]) assert.deepEqual(faultsOf(body), ['']);
  assert.deepEqual(faultsOf({ Records: 'none' }), ['/Records']);
  assert.deepEqual(faultsOf({ Records: [null, record('ObjectCreated:Put', '%E0%A4%A'), { eventName: 'ObjectCreated:Put', s3: {} }] }), [
    '/Records/0/eventName',
    '/Records/1/s3/object/key',
    '/Records/2/s3/object/key',
  ]);
  assert.deepEqual(faultsOf({ 'detail-type': 'Object Created', detail: {} }), ['/detail/object/key']);
  assert.deepEqual(faultsOf({ event_type: 'create' }), ['/key']);
});
