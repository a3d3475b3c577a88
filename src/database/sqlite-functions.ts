import type { DatabaseSync } from 'node:sqlite';
import { type SignLayout, signOf } from '../foundation/term-signs.ts';

// What SQLite is taught. Only the connection that writes needs it, nothing that is read does.

/** See `signOfTerms` and `anyOfSigns` in `dialect.ts`. */
export const addSignFunctions = (connection: DatabaseSync): void => {
  const layouts = new Map<unknown, SignLayout>();
  connection.function('sign_of', { deterministic: true }, (layout, terms) => {
    const known = layouts.get(layout) ?? (JSON.parse(String(layout)) as SignLayout); // written by `signOfTerms`
    layouts.set(layout, known);
    return JSON.stringify(signOf(known, String(terms)));
  });
  connection.function('any_of_signs', { deterministic: true }, (signs) => {
    const all: number[] = [];
    const each = JSON.parse(String(signs)) as number[][]; // written by `anyOfSigns`
    for (const sign of each) for (const [index, part] of sign.entries()) all[index] = (all[index] ?? 0) | part;
    return JSON.stringify(all);
  });
};
