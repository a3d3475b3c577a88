import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Problem } from '../../foundation/problem.ts';
import { batchType, fromBinaryMode, structuredType } from './cloudevents.ts';
import { maxEventsInArray, readArray, readLine, readOne } from './event-body.ts';
import { checkCloudEvent, checkEvent, type EventIn, maxEventBytes } from './event-form.ts';
import type { EventReceipt } from './events.ts';
import { type Line, linesOf } from './ndjson.ts';

/** The events of a JSON body, whose value was parsed already; `text` is the body's text. */
export const readParsed = (mediaType: string, value: unknown, text: string): readonly EventIn[] => {
  if (mediaType === batchType) {
    if (!Array.isArray(value))
      throw new Problem('bad-event', 'A batch is an array.', { errors: [{ in: 'body', at: '/', why: 'must be an array' }] });
    return readArray(value, text, checkCloudEvent);
  }
  if (mediaType === structuredType) return [readOne(value, text, '', checkCloudEvent)];
  return Array.isArray(value) ? readArray(value, text, checkEvent) : [readOne(value, text, '', checkEvent)];
};

/** The event of a request in CloudEvents' binary mode. */
export const readBinary = async (headers: IncomingHttpHeaders, body: string | Readable): Promise<EventIn> => {
  const bytes = typeof body === 'string' ? Buffer.from(body) : await readUpTo(body, maxEventBytes);
  const content = fromBinaryMode(headers, bytes);
  return readOne(JSON.parse(content), content, '', checkCloudEvent);
};

const readUpTo = async (body: Readable, limitBytes: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = chunk as Buffer; // the stream of a request body without an encoding
    size += bytes.length;
    if (size > limitBytes) throw new Problem('too-large', 'An event may have up to 256 KiB.');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
};

/**
 * Takes a stream of NDJSON in transactions of up to 1000 events. A line that is wrong ends it; the refusal's member `accepted` tells
 * how many lines before it are durable.
 */
export const acceptLines = async (
  body: Readable,
  accept: (events: readonly EventIn[]) => Promise<readonly EventReceipt[]>,
): Promise<{ accepted: number; duplicates: number }> => {
  let durable = 0;
  let duplicates = 0;
  let waiting: EventIn[] = [];

  const flush = async () => {
    if (waiting.length === 0) return;
    const receipts = await accept(waiting);
    durable += receipts.length;
    duplicates += receipts.filter(({ isDuplicate }) => isDuplicate).length;
    waiting = [];
  };
  const take = async ({ text, number }: Line) => {
    waiting.push(readLine(text, number, checkEvent));
    if (waiting.length === maxEventsInArray) await flush();
  };

  try {
    for await (const lines of linesOf(body)) {
      for (const line of lines) await take(line);
    }
    await flush();
  } catch (error) {
    throw await withAccepted(error, flush, () => durable);
  }
  if (durable === 0) throw new Problem('bad-event', 'There is no event in the body.', { members: { accepted: 0 } });
  return { accepted: durable - duplicates, duplicates };
};

/** What came before a bad line is still taken, so that the client can go on behind it. */
const withAccepted = async (error: unknown, flush: () => Promise<void>, durable: () => number): Promise<unknown> => {
  if (!(error instanceof Problem)) return error;
  await flush();
  return new Problem(error.kind, error.message, {
    ...error.extras,
    members: { ...error.extras.members, accepted: durable() },
    cause: error,
  });
};
