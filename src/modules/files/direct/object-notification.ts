import { type Fault, Problem } from '../../../foundation/problem.ts';

// What object stores say when something was put into them. S3, MinIO and Ceph send the records of S3's own notifications, EventBridge wraps
// one event, and the filer of SeaweedFS tells of every change of an entry.

/** Something came to be under that key. */
export interface CreatedObject {
  readonly bucket?: string;
  readonly key: string;
}

/**
 * The objects that a notification says were created; none where it tells of something else (removals, the test that S3 sends when a
 * notification is set up). Throws `bad-body` naming each fault where it has none of these forms.
 */
export const readNotification = (body: unknown): CreatedObject[] => {
  if (!isObject(body)) throw badForm([{ at: '', why: 'must be an object' }]);
  if ('Records' in body) return fromRecords(body.Records);
  if ('detail-type' in body) return fromEventBridge(body);
  if ('event_type' in body) return fromFiler(body);
  if (body.Event === 's3:TestEvent') return [];
  throw badForm([{ at: '', why: 'is no notification of S3, EventBridge, MinIO or SeaweedFS' }]);
};

type Place = Pick<Fault, 'at' | 'why'>;

const badForm = (places: readonly Place[]): Problem =>
  new Problem('bad-body', 'This is no notification of an object store.', { errors: places.map((place) => ({ in: 'body', ...place })) });

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const memberOf = (value: unknown, ...names: readonly string[]): unknown =>
  names.reduce<unknown>((inner, name) => (isObject(inner) ? inner[name] : undefined), value);

const bucketIn = (bucket: unknown): { bucket?: string } => (typeof bucket === 'string' ? { bucket } : {});

/** `ObjectCreated:Put` in S3, `s3:ObjectCreated:Put` elsewhere; whatever made it: large ones come as `CompleteMultipartUpload`. */
const tellsOfCreation = (eventName: string): boolean => /^(s3:)?ObjectCreated:/.test(eventName);

/** Keys are encoded as in forms; undefined where that cannot be. */
const decodeKey = (key: string): string | undefined => {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
};

const fromRecords = (records: unknown): CreatedObject[] => {
  if (!Array.isArray(records)) throw badForm([{ at: '/Records', why: 'must be an array' }]);
  const faults: Place[] = [];
  const created = records.flatMap((record: unknown, index): CreatedObject[] => {
    const eventName = memberOf(record, 'eventName');
    if (typeof eventName !== 'string') {
      faults.push({ at: `/Records/${index}/eventName`, why: 'must be a string' });
      return [];
    }
    if (!tellsOfCreation(eventName)) return [];
    const encoded = memberOf(record, 's3', 'object', 'key');
    const key = typeof encoded === 'string' ? decodeKey(encoded) : undefined;
    if (key === undefined) {
      faults.push({ at: `/Records/${index}/s3/object/key`, why: 'must be a key, encoded as in a URL' });
      return [];
    }
    return [{ ...bucketIn(memberOf(record, 's3', 'bucket', 'name')), key }];
  });
  if (faults.length > 0) throw badForm(faults);
  return created;
};

/** Here keys are as they are. */
const fromEventBridge = (event: Readonly<Record<string, unknown>>): CreatedObject[] => {
  if (event['detail-type'] !== 'Object Created') return [];
  const key = memberOf(event, 'detail', 'object', 'key');
  if (typeof key !== 'string') throw badForm([{ at: '/detail/object/key', why: 'must be a string' }]);
  return [{ ...bucketIn(memberOf(event, 'detail', 'bucket', 'name')), key }];
};

const filerBuckets = '/buckets/';

/** Paths of the filer; S3's buckets are the folders below one of them. What is put in its place is an update there. */
const fromFiler = ({ event_type: type, key: path, message }: Readonly<Record<string, unknown>>): CreatedObject[] => {
  if (typeof path !== 'string') throw badForm([{ at: '/key', why: 'must be a string' }]);
  const isFolder = memberOf(message, 'new_entry', 'is_directory') === true;
  if (isFolder || !(type === 'create' || type === 'update' || type === 'rename')) return [];
  const there = type === 'rename' ? renamedTo(message) : path;
  if (there === undefined) return [];
  if (!there.startsWith(filerBuckets)) return [{ key: there }];
  const [bucket = '', ...key] = there.slice(filerBuckets.length).split('/');
  return [{ bucket, key: key.join('/') }];
};

const renamedTo = (message: unknown): string | undefined => {
  const [folder, name] = [memberOf(message, 'new_parent_path'), memberOf(message, 'new_entry', 'name')];
  return typeof folder === 'string' && typeof name === 'string' ? `${folder}/${name}` : undefined;
};
