import type { IncomingHttpHeaders } from 'node:http';
import { objectText } from '../../foundation/json-text.ts';
import { Problem } from '../../foundation/problem.ts';

export const structuredType = 'application/cloudevents+json';
export const batchType = 'application/cloudevents-batch+json';

/** Binary mode is known by this header (CloudEvents HTTP binding §3.1). */
export const isBinaryMode = (headers: IncomingHttpHeaders): boolean => headers['ce-specversion'] !== undefined;

/** Header values are percent-encoded where they are not plain ASCII (HTTP binding §3.1.3.2). */
const decoded = (name: string, value: string): string => {
  const bare = value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value;
  try {
    return decodeURIComponent(bare);
  } catch (cause) {
    throw new Problem('bad-event', `The header ${name} is not percent-encoded UTF-8.`, {
      errors: [{ in: 'header', at: `/${name}`, why: 'is not percent-encoded UTF-8' }],
      cause,
    });
  }
};

const isJsonType = (type: string): boolean => /^application\/(.+\+)?json\b/i.test(type) || /^text\/json\b/i.test(type);

/** The JSON form of an event in binary mode: attributes from `ce-*` headers, the body as `data` (or `data_base64`, JSON format §3.1). */
export const fromBinaryMode = (headers: IncomingHttpHeaders, body: Buffer): string => {
  const members = new Map<string, string>();
  for (const [header, value] of Object.entries(headers)) {
    if (header.startsWith('ce-') && typeof value === 'string') members.set(header.slice(3), JSON.stringify(decoded(header, value)));
  }
  const contentType = headers['content-type'];
  if (contentType !== undefined) members.set('datacontenttype', JSON.stringify(contentType));
  if (body.length === 0) return objectText(members);
  if (contentType === undefined || isJsonType(contentType)) {
    members.set('data', jsonTextOf(body));
  } else if (/^text\//i.test(contentType)) {
    members.set('data', JSON.stringify(body.toString('utf8')));
  } else {
    members.set('data_base64', JSON.stringify(body.toString('base64')));
  }
  return objectText(members);
};

const jsonTextOf = (body: Buffer): string => {
  const text = body.toString('utf8');
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new Problem('bad-json', `The data is not valid JSON: ${cause instanceof Error ? cause.message.slice(0, 200) : ''}.`, { cause });
  }
  return text.trim();
};
