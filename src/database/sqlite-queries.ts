import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  DummyDriver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { WriteResult } from './database.ts';
import type { Tables } from './tables.ts';

/** Carries out one compiled query somewhere. */
export type RunQuery = (sql: string, parameters: readonly unknown[]) => Promise<WriteResult>;

const connectionOver = (run: RunQuery): DatabaseConnection => ({
  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes } = await run(sql, parameters);
    return { rows: rows as Row[], numAffectedRows: BigInt(changes) }; // the row types of tables.ts hold by migration
  },
  streamQuery() {
    throw new Error('Streaming is not offered; read pages.');
  },
});

const driverOver = (run: RunQuery): Driver => {
  const connection = connectionOver(run);
  const none = async () => {
    throw new Error('Use database.transaction.');
  };
  return {
    async init() {},
    acquireConnection: async () => connection,
    beginTransaction: none,
    commitTransaction: none,
    rollbackTransaction: none,
    async releaseConnection() {},
    async destroy() {},
  };
};

const kyselyWith = (createDriver: () => Driver): Kysely<Tables> =>
  new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver,
      createIntrospector: (query) => new SqliteIntrospector(query),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });

/** Kysely whose queries are carried out by `run`. */
export const queriesOver = (run: RunQuery): Kysely<Tables> => kyselyWith(() => driverOver(run));

/** Kysely that only builds statements. */
export const buildOnly = (): Kysely<Tables> => kyselyWith(() => new DummyDriver());
