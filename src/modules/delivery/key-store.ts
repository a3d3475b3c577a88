import { sql } from 'kysely';
import type { Database, Write } from '../../database/database.ts';
import { slot, template } from '../../database/template.ts';
import { isFreeInLane, isUnderWayTo } from './delivery-store.ts';

/** An ordering key at a target. */
export interface LaneKey {
  readonly targetId: string;
  readonly orderingKey: string;
}

// Only the head of a key is eligible. The heads stand in a small table, so that nobody has to ask the backlog whether something
// stands before a delivery. An empty `headId` means: to be found again in the same transaction.

export const createKeyStore = ({ build, read }: Database) => {
  const leave = template<LaneKey & { id: string }>(
    build
      .updateTable('laneKeys')
      .set({ headId: '' })
      .where('targetId', '=', slot<string>('targetId'))
      .where('orderingKey', '=', slot<string>('orderingKey'))
      .where('headId', '=', slot<string>('id')),
  );
  const leaveEnded = template<LaneKey & { id: string }>(
    build
      .updateTable('laneKeys')
      .set({ headId: '', isBlocked: 0 })
      .where('targetId', '=', slot<string>('targetId'))
      .where('orderingKey', '=', slot<string>('orderingKey'))
      .where('headId', '=', slot<string>('id')),
  );
  const block = template<LaneKey>(
    build
      .updateTable('laneKeys')
      .set({ isBlocked: 1 })
      .where('targetId', '=', slot<string>('targetId'))
      .where('orderingKey', '=', slot<string>('orderingKey')),
  );
  const unblock = template<LaneKey>(
    build
      .updateTable('laneKeys')
      .set({ isBlocked: 0, headId: '' })
      .where('targetId', '=', slot<string>('targetId'))
      .where('orderingKey', '=', slot<string>('orderingKey'))
      .where('isBlocked', '=', 1),
  );
  const open = template<LaneKey>(
    build
      .insertInto('laneKeys')
      .values({ targetId: slot<string>('targetId'), orderingKey: slot<string>('orderingKey'), headId: '', isBlocked: 0 })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const findHead = template<LaneKey>(
    build
      .updateTable('laneKeys')
      .set({
        headId: sql<string>`coalesce((select "id" from "deliveries" where "deliveries"."targetId" = "laneKeys"."targetId"
          and "deliveries"."orderingKey" = "laneKeys"."orderingKey" and "isHeld" = 1 and "state" in ('waiting', 'retrying') order by "position" limit 1), '')`,
      })
      .where('targetId', '=', slot<string>('targetId'))
      .where('orderingKey', '=', slot<string>('orderingKey'))
      .where('headId', '=', ''),
  );
  const releaseHead = template<LaneKey>(
    build
      .updateTable('deliveries')
      .set({ isHeld: 0 })
      .where('id', '=', (eb) =>
        eb
          .selectFrom('laneKeys')
          .select('headId')
          .where('targetId', '=', slot<string>('targetId'))
          .where('orderingKey', '=', slot<string>('orderingKey')),
      ),
  );
  const dropEmpty = template<LaneKey>(
    build
      .deleteFrom('laneKeys')
      .where('targetId', '=', slot<string>('targetId'))
      .where('orderingKey', '=', slot<string>('orderingKey'))
      .where('headId', '=', ''),
  );

  const advance = (keys: readonly LaneKey[]): Write[] => [findHead.rows(keys), releaseHead.rows(keys), dropEmpty.rows(keys)];

  return {
    /** The heads are finished: the next delivery of each key becomes eligible, or the key is free. */
    passOn: (heads: readonly (LaneKey & { id: string })[]): Write[] => (heads.length === 0 ? [] : [leave.rows(heads), ...advance(heads)]),

    /** Keys of a target whose head is finished, or gone; those that are blocked behind theirs only `withBlocked`. */
    findEndedHeads(targetId: string, { withBlocked }: { withBlocked: boolean }): Promise<readonly (LaneKey & { id: string })[]> {
      const ended = read
        .selectFrom('laneKeys')
        .select(['targetId', 'orderingKey', 'headId as id'])
        .where('targetId', '=', targetId)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('deliveries')
                .select('id')
                .whereRef('deliveries.id', '=', 'laneKeys.headId')
                .where('state', 'in', ['waiting', 'retrying', 'delivering']),
            ),
          ),
        );
      return (withBlocked ? ended : ended.where('isBlocked', '=', 0)).execute();
    },

    /** These heads ended without passing on: the next delivery of each key becomes eligible, or the key is free. */
    passOnEnded: (heads: readonly (LaneKey & { id: string })[]): Write[] =>
      heads.length === 0 ? [] : [leaveEnded.rows(heads), ...advance(heads)],

    /** The heads are dead and what follows them has to wait for a hand. */
    blockKeys: (keys: readonly LaneKey[]): Write[] => (keys.length === 0 ? [] : [block.rows(keys)]),

    /** Held deliveries were put back: blocked keys open, free keys get a head. */
    reopenKeys: (keys: readonly LaneKey[]): Write[] => (keys.length === 0 ? [] : [unblock.rows(keys), open.rows(keys), ...advance(keys)]),

    /** The target no longer wants order: everything held is free. */
    freeAll: (targetId: string): Write[] => [
      build.updateTable('deliveries').set({ isHeld: 0 }).where('targetId', '=', targetId).where(sql<boolean>`"isHeld" = 1`).compile(),
      build.deleteFrom('laneKeys').where('targetId', '=', targetId).compile(),
    ],

    /** The target wants order from now on: of what waits with a key, the first of each key stays free, the others are held. */
    holdAll: (targetId: string): Write[] => [
      sql`insert into "laneKeys" ("targetId", "orderingKey", "headId", "isBlocked")
        select "targetId", "orderingKey", "id", 0 from "deliveries" where "position" in (select min("position") from (
            select "position", "orderingKey" from "deliveries" where "targetId" = ${targetId} and ${isFreeInLane}
            union all select "position", "orderingKey" from "deliveries" where ${isUnderWayTo(targetId)}) as "open"
          where "orderingKey" is not null group by "orderingKey")
        on conflict do nothing`.compile(build),
      sql`update "deliveries" set "isHeld" = 1 where "targetId" = ${targetId} and "orderingKey" is not null and ${isFreeInLane}
        and "id" not in (select "headId" from "laneKeys" where "targetId" = ${targetId})`.compile(build),
    ],
  };
};

export type KeyStore = ReturnType<typeof createKeyStore>;
