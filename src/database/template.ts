import { CompiledQuery } from 'kysely';
import type { Database, RepeatedStatement, Statement } from './database.ts';

/** A place in a query that gets its value later. */
class Slot {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A named place for a value in a query that is built once and run for many rows. */
export const slot = <Value>(name: string): Value => new Slot(name) as Value; // stands for the value until `template` finds it

/** A query compiled once. Compiling costs more than running a small statement, so what runs often is a template. */
export interface Template<Row> {
  row(row: Row): Statement;
  rows(rows: readonly Row[], mustChange?: number): RepeatedStatement;
}

/** Every `slot('x')` of the query takes `x` of the row; all other values stay as they are in the query. */
export const template = <Row extends object>(query: { compile(): CompiledQuery }): Template<Row> => {
  const { sql, parameters } = query.compile();
  const names = parameters.map((value) => (value instanceof Slot ? value.name : undefined));
  const bind = (row: Row): readonly unknown[] => {
    const values = [...parameters];
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index];
      if (name !== undefined) values[index] = (row as Record<string, unknown>)[name]; // slots name fields of Row
    }
    return values;
  };
  return {
    row: (row) => ({ sql, parameters: bind(row) }),
    rows: (rows, mustChange) => ({ sql, rows: rows.map(bind), ...(mustChange === undefined ? {} : { mustChange }) }),
  };
};

/** A read compiled once, for what is asked all the time. `Found` is what the query selects. */
export const preparedRead = <Row extends object, Found>(
  read: Database['read'],
  query: { compile(): CompiledQuery<Found> },
): ((row: Row) => Promise<Found[]>) => {
  const prepared = template<Row>(query);
  return async (row) => {
    const { sql, parameters } = prepared.row(row);
    return (await read.executeQuery(CompiledQuery.raw(sql, [...parameters]) as CompiledQuery<Found>)).rows; // the text is that of `query`
  };
};
