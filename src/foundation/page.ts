import { Problem } from './problem.ts';

/** One page of a list, newest or oldest first; `nextCursor` is absent on the last one. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor?: string;
}

/** What a list is asked for: at most `limit` items after the place that `cursor` names. */
export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string;
}

/** The place of a row in its order, as opaque text: base64url of a JSON array. */
export const encodeCursor = (place: readonly (string | number)[]): string => Buffer.from(JSON.stringify(place)).toString('base64url');

/** The place that a cursor names; a garbled one is refused. `shape` tells what each part must be. */
export const decodeCursor = <Shape extends readonly ('string' | 'number')[]>(
  cursor: string,
  shape: Shape,
): { [Index in keyof Shape]: Shape[Index] extends 'number' ? number : string } => {
  const place = parsePlace(cursor);
  const fits = Array.isArray(place) && place.length === shape.length && shape.every((type, index) => typeof place[index] === type);
  if (!fits) throw badCursor('The cursor is garbled.');
  return place as { [Index in keyof Shape]: Shape[Index] extends 'number' ? number : string }; // checked against `shape` above
};

export const badCursor = (detail: string): Problem =>
  new Problem('bad-cursor', detail, { errors: [{ in: 'query', at: '/cursor', why: 'is not a cursor of this list' }] });

const parsePlace = (cursor: string): unknown => {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
};

/** Cuts the one row too many that the store read to know whether there is a next page. */
export const toPage = <Row, Item>(
  rows: readonly Row[],
  limit: number,
  place: (row: Row) => readonly (string | number)[],
  toItem: (row: Row) => Item,
): Page<Item> => {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const items = shown.map(toItem);
  return rows.length > limit && last !== undefined ? { items, nextCursor: encodeCursor(place(last)) } : { items };
};
