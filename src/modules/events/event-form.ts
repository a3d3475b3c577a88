import type { Fault } from '../../foundation/problem.ts';

/** An event as it came in, checked. */
export interface EventIn {
  readonly id: string;
  /** What it is routed by: its `type`, else its `name`. */
  readonly type: string;
  readonly key: string | undefined;
  /** The CloudEvents `source`; none for an event of the plain form. */
  readonly source: string | undefined;
  /** The JSON object exactly as it was sent. */
  readonly content: string;
}

export type Checked = { readonly event: EventIn } | { readonly faults: readonly Fault[] };

export const maxEventBytes = 256 * 1024;

/** Printable: no control characters, no line separators, no halves of surrogate pairs. */
const printable = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,255}$/u;
/** RFC 3339 §5.6; a time zone is required. */
const dateTime =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt ]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

const whyNoText = 'must be a string of 1 to 255 printable characters';
const whyNoTime = 'must be an RFC 3339 date and time with a time zone';

const isText = (value: unknown): value is string => typeof value === 'string' && printable.test(value);
const daysIn = (year: number, month: number) => new Date(Date.UTC(year, month, 0)).getUTCDate();
/** A leap second is one, too; no month has a 31st of February. */
const isTime = (value: unknown): boolean =>
  typeof value === 'string' &&
  dateTime.test(value) &&
  Number(value.slice(8, 10)) <= daysIn(Number(value.slice(0, 4)), Number(value.slice(5, 7)));
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Checks the plain form `{id, name, body, timestamp, type?, key?, data?}`; further fields are the source's own. `at` points to the event in the body. */
export const checkEvent = (value: unknown, content: string, at: string): Checked => {
  if (!isObject(value)) return { faults: [{ in: 'body', at: at || '/', why: 'must be an object' }] };
  const { id, name, type, key, timestamp } = value;
  if (isText(id) && (isText(type) || (type === undefined && isText(name))) && name !== null) {
    const isPlain =
      (name === undefined || isText(name)) && (key === undefined || isText(key)) && (timestamp === undefined || isTime(timestamp));
    if (isPlain) return { event: { id, type: (type ?? name) as string, key: key as string | undefined, source: undefined, content } }; // both checked above
  }
  const faults: Fault[] = [];
  const fault = (field: string, why: string) => faults.push({ in: 'body', at: `${at}/${field}`, why });
  if (id === undefined) fault('id', 'is required');
  else if (!isText(id)) fault('id', whyNoText);
  if (name === undefined && type === undefined) fault('name', 'is required where there is no type');
  if (name !== undefined && !isText(name)) fault('name', whyNoText);
  if (type !== undefined && !isText(type)) fault('type', whyNoText);
  if (key !== undefined && !isText(key)) fault('key', whyNoText);
  if (timestamp !== undefined && !isTime(timestamp)) fault('timestamp', whyNoTime);
  return { faults };
};

const attributeName = /^[a-z0-9]{1,20}$/;

/** Checks a CloudEvents 1.0 event in the JSON format (CloudEvents §3, JSON format §2). */
export const checkCloudEvent = (value: unknown, content: string, at: string): Checked => {
  if (!isObject(value)) return { faults: [{ in: 'body', at: at || '/', why: 'must be an object' }] };
  const faults: Fault[] = [];
  const fault = (field: string, why: string) => faults.push({ in: 'body', at: `${at}/${field}`, why });
  const { specversion, id, source, type, time, partitionkey } = value;
  if (specversion !== '1.0') fault('specversion', 'must be "1.0"');
  if (!isText(id)) fault('id', id === undefined ? 'is required' : whyNoText);
  if (!isText(source)) fault('source', source === undefined ? 'is required' : whyNoText);
  if (!isText(type)) fault('type', type === undefined ? 'is required' : whyNoText);
  if (time !== undefined && time !== null && !isTime(time)) fault('time', whyNoTime);
  if (partitionkey !== undefined && partitionkey !== null && !isText(partitionkey)) fault('partitionkey', whyNoText);
  if (value.data_base64 !== undefined && typeof value.data_base64 !== 'string') fault('data_base64', 'must be a string');
  if (value.data !== undefined && value.data_base64 !== undefined) fault('data_base64', 'must not stand beside data');
  for (const name of Object.keys(value)) {
    if (name !== 'data_base64' && !attributeName.test(name)) fault(name, 'is no attribute name: lower-case letters and digits, at most 20');
    else if (name !== 'data' && isObject(value[name])) fault(name, 'an attribute must be a string, a number or a boolean');
  }
  if (faults.length > 0 || !isText(id) || !isText(type) || !isText(source)) return { faults };
  return { event: { id, type, key: isText(partitionkey) ? partitionkey : undefined, source, content } };
};
