import { type RawBuilder, sql } from 'kysely';

// What SQL has no common word for. Many rows go to the database and come back as JSON text: a text crosses to the other thread and is
// bound at once, where the values of a row are copied one by one (measured with the ends of deliveries: 14 µs a row against 6).

/** The elements of a JSON array (a text, or a column that holds one) as the rows of a table, each as its column `value`. */
export const elementsOf = (json: string | RawBuilder<unknown>): RawBuilder<unknown> => sql`json_each(${json})`;

/** A row's columns as one JSON object, under the name `row`. Not for long texts, which are escaped. */
export const asRow = (columns: readonly string[]) =>
  sql<string>`json_object(${sql.join(columns.flatMap((column) => [sql.lit(column), sql.ref(column)]))})`.as('row');
