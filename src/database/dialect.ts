import { type RawBuilder, sql } from 'kysely';
import type { SignLayout } from '../foundation/term-signs.ts';

// What SQL has no common word for. Many rows go to the database and come back as JSON text: a text crosses to the other thread and is
// bound at once, where the values of a row are copied one by one (measured with the ends of deliveries: 14 µs a row against 6).

/** The elements of a JSON array (a text, or a column that holds one) as the rows of a table, each as its column `value`. */
export const elementsOf = (json: string | RawBuilder<unknown>): RawBuilder<unknown> => sql`json_each(${json})`;

/** The values of all rows as one JSON array: the counterpart of `elementsOf`. */
export const asArray = (column: RawBuilder<unknown>): RawBuilder<string> => sql<string>`json_group_array(${column})`;

/** A row's columns as one JSON object, under the name `row`. Not for long texts, which are escaped. */
export const asRow = (columns: readonly string[]) =>
  sql<string>`json_object(${sql.join(columns.flatMap((column) => [sql.lit(column), sql.ref(column)]))})`.as('row');

// Full text. SQLite has its FTS5: an index of terms, whose rows are read in their order while the lists of several terms are cut with
// each other, so that a page of a rare combination costs no walk over all rows. Postgres would do the same with a GIN index over a
// `text[]` of the same terms (`@>` for all, `&&` for one of them), and words by their beginning with `to_tsquery('simple', 'word:*')`.

/** A value as part of a term: of letters and digits alone, whatever the value is. Terms are compared without regard to case. */
export const hexOf = (column: RawBuilder<unknown>): RawBuilder<string> => sql<string>`hex(${column})`;
export const hexOfText = (value: string): string => Buffer.from(value).toString('hex');

/** Rows of the index of terms that match; made of `allOf`, `anyOf` and `term`. */
export const matchesTerms = (table: string, expression: string): RawBuilder<boolean> => sql<boolean>`${sql.ref(table)} match ${expression}`;

/** One term. It must hold no quotation mark. */
export const term = (text: string): string => `"${text}"`;
/** All terms that begin so. */
export const termsFrom = (beginning: string): string => `"${beginning}"*`;
export const allOf = (parts: readonly string[]): string => parts.join(' AND ');
export const anyOf = (parts: readonly string[]): string => `(${parts.join(' OR ')})`;

/** Whether the text holds the part. */
export const holds = (column: RawBuilder<unknown>, part: string): RawBuilder<boolean> => sql<boolean>`instr(${column}, ${part}) > 0`;

// Signs of terms (`term-signs.ts`). To test one is arithmetic that every database has. SQLite makes them by functions of ours
// (`sqlite-functions.ts`); Postgres has `bit_or` for many, and would have a function in its own language for one.

/** The sign of terms as a JSON array of its parts. */
export const signOfTerms = (layout: SignLayout, terms: RawBuilder<string>): RawBuilder<string> =>
  sql<string>`sign_of(${sql.lit(JSON.stringify(layout))}, ${terms})`;
export const partOfSign = (sign: RawBuilder<string>, part: number): RawBuilder<number> => sql<number>`${sign} ->> ${sql.lit(part)}`;

/** The signs of all rows laid over each other, as such an array. */
export const anyOfSigns = (parts: RawBuilder<unknown>): RawBuilder<string> =>
  sql<string>`any_of_signs(json_group_array(json_array(${parts})))`;
