import { sql } from 'kysely';
import type { Database, Write } from '../../database/database.ts';
import { slot, template } from '../../database/template.ts';
import { createStatsCounter } from './catalogue/file-stats-store.ts';
import { createFileOrders, type StretchSizes } from './catalogue/order-store.ts';
import { createSearchIndex } from './catalogue/search-index-store.ts';

/** Bytes that may be used, by one owner and by its whole tenant; no limit where absent. */
export interface Limits {
  readonly personBytes?: number;
  readonly tenantBytes?: number;
}

export type Ledger = ReturnType<typeof createLedger>;

/**
 * What is counted over files (their room, their statistics) and what they are found by is derived from their rows by SQL, in the transaction that changes
 * the row: `leave` takes a row as it stands out of all counts, `enter` takes it in. So no count can drift from the rows.
 */
export const createLedger = ({ build }: Pick<Database, 'build'>, { stretches }: { stretches?: StretchSizes } = {}) => {
  const moveUsage = (sign: 1 | -1) => {
    const id = slot<string>('id');
    const counted = () => build.selectFrom('files').where('id', '=', id).where('state', '<>', 'rejected');
    return template<{ id: string }>(
      build
        .insertInto('fileUsage')
        .columns(['tenantId', 'ownerId', 'files', 'bytes'])
        .expression(
          counted()
            .select((eb) => ['tenantId', 'ownerId', eb.lit(sign).as('files'), eb('size', '*', eb.lit(sign)).as('bytes')])
            .unionAll(
              counted().select((eb) => [
                'tenantId',
                eb.val('').as('ownerId'),
                eb.lit(sign).as('files'),
                eb('size', '*', eb.lit(sign)).as('bytes'),
              ]),
            ),
        )
        .onConflict((conflict) =>
          conflict.columns(['tenantId', 'ownerId']).doUpdateSet((eb) => ({
            files: eb('fileUsage.files', '+', eb.ref('excluded.files')),
            bytes: eb('fileUsage.bytes', '+', eb.ref('excluded.bytes')),
          })),
        ),
    );
  };
  const enterUsage = moveUsage(1);
  const leaveUsage = moveUsage(-1);

  const hold = template<{ tenantId: string; ownerId: string; limit: number }>(
    build
      .updateTable('fileUsage')
      .set((eb) => ({ bytes: eb.ref('bytes') }))
      .where('tenantId', '=', slot<string>('tenantId'))
      .where('ownerId', '=', slot<string>('ownerId'))
      // Parts of files that are not put together hold room as well.
      .where(
        sql<number>`"bytes" + (select coalesce(sum("reservedBytes"), 0) from "uploads"
          where "uploads"."tenantId" = "fileUsage"."tenantId" and "fileUsage"."ownerId" in ("uploads"."ownerId", ''))`,
        '<=',
        slot<number>('limit'),
      ),
  );

  const search = createSearchIndex({ build });
  const orders = createFileOrders({ build }, stretches);
  const stats = createStatsCounter({ build });
  const addDownloads = template<{ id: string; count: number }>(
    build
      .updateTable('files')
      .set((eb) => ({ downloads: eb('downloads', '+', slot<number>('count')) }))
      .where('id', '=', slot<string>('id')),
  );

  const enter = (id: string): Write[] => [enterUsage.row({ id }), ...search.enter(id), ...orders.enter(id), ...stats.enter(id)];
  const leave = (id: string): Write[] => [leaveUsage.row({ id }), ...search.leave(id), ...orders.leave(id), ...stats.leave(id)];
  return {
    /** Behind the insert of the row. */
    enter,
    /** Before the row is removed. */
    leave,
    /** A change of the row, with all counts following. */
    around: (id: string, change: readonly Write[]): Write[] => [...leave(id), ...change, ...enter(id)],
    /** So many more downloads of the file. */
    download: (id: string, count: number): Write[] => [addDownloads.row({ id, count }), ...stats.download(id, count)],
    /** Behind `enter`: the whole act is refused (`WriteRefused`) where the files take more than they may. */
    holdTo: ({ tenantId, ownerId }: { tenantId: string; ownerId: string }, { personBytes, tenantBytes }: Limits): Write[] => [
      ...(personBytes === undefined ? [] : [{ ...hold.row({ tenantId, ownerId, limit: personBytes }), mustChange: 1 }]),
      ...(tenantBytes === undefined ? [] : [{ ...hold.row({ tenantId, ownerId: '', limit: tenantBytes }), mustChange: 1 }]),
    ],
  };
};
