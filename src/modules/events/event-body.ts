import { elementTexts, isDeeperThan } from '../../foundation/json-text.ts';
import { Problem } from '../../foundation/problem.ts';
import { type Checked, type EventIn, maxEventBytes } from './event-form.ts';
import { isReservedType } from './own-facts.ts';

export const maxEventsInArray = 1000;
export const maxNesting = 32;

type Check = (value: unknown, content: string, at: string) => Checked;

/** How many faults are named; a body of a thousand bad events would make a longer answer than anybody reads. */
const maxFaultsNamed = 50;

const assertSize = (content: string, at: string) => {
  // A character is at most three bytes of UTF-8, so most events are small enough without being counted.
  if (content.length * 3 > maxEventBytes && Buffer.byteLength(content) > maxEventBytes) {
    throw new Problem('too-large', 'An event may have up to 256 KiB.', {
      errors: [{ in: 'body', at: at || '/', why: 'is larger than 256 KiB' }],
    });
  }
};

const assertTypeIsFree = ({ type }: EventIn, { value, at }: Item) => {
  if (!isReservedType(type)) return;
  const isByName = (value as { type?: unknown }).type === undefined; // an object, since it was found to be an event
  throw new Problem('reserved-type', `Only the server itself tells ${type}.`, {
    errors: [{ in: 'body', at: `${at}/${isByName ? 'name' : 'type'}`, why: 'is reserved' }],
  });
};

interface Item {
  readonly value: unknown;
  readonly content: string;
  readonly at: string;
}

/** One event from the parsed body and its text. Throws `bad-event`, `reserved-type` or `too-large`. */
export const readOne = (value: unknown, content: string, at: string, check: Check): EventIn => {
  const [event] = readAll([{ value, content, at }], check);
  if (!event) throw new Problem('bad-event', 'There is no event.');
  return event;
};

/** All events of an array, or none: one that is wrong refuses all, and every fault is named. */
export const readArray = (values: readonly unknown[], text: string, check: Check): readonly EventIn[] => {
  if (values.length === 0 || values.length > maxEventsInArray) {
    const why = `must hold 1 to ${maxEventsInArray} events, not ${values.length}`;
    throw new Problem('bad-event', `An array ${why}.`, { errors: [{ in: 'body', at: '/', why }] });
  }
  const texts = elementTexts(text);
  return readAll(
    values.map((value, index) => ({ value, content: texts[index] ?? '', at: `/${index}` })),
    check,
  );
};

const readAll = (items: readonly Item[], check: Check): readonly EventIn[] => {
  const events: EventIn[] = [];
  const faults = [];
  for (const { value, content, at } of items) {
    assertSize(content, at);
    const checked = check(value, content, at);
    if ('faults' in checked) faults.push(...checked.faults);
    else events.push(checked.event);
  }
  if (faults.length > 0) {
    const places = faults.slice(0, 3).map(({ at, why }) => `${at} ${why}`);
    throw new Problem('bad-event', `Nothing was taken: ${places.join('; ')}${faults.length > 3 ? '; …' : ''}.`, {
      errors: faults.slice(0, maxFaultsNamed),
    });
  }
  for (const [index, item] of items.entries()) {
    const event = events[index];
    if (event) assertTypeIsFree(event, item);
  }
  return events;
};

/** One line of NDJSON; `line` counts from 1. */
export const readLine = (text: string, line: number, check: Check): EventIn => {
  const at = `/${line}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Problem('bad-json', `Line ${line} is not valid JSON.`, { errors: [{ in: 'body', at, why: messageOf(cause) }], cause });
  }
  if (isDeeperThan(value, maxNesting)) {
    throw new Problem('bad-json', `Line ${line} is nested deeper than ${maxNesting} levels.`, {
      errors: [{ in: 'body', at, why: `is nested deeper than ${maxNesting} levels` }],
    });
  }
  return readOne(value, text, at, check);
};

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message.slice(0, 200) : 'is not valid JSON');
