import { type ExpressionBuilder, sql } from 'kysely';
import type { Database, Write } from '../../database/database.ts';
import { elementsOf } from '../../database/dialect.ts';
import type { FactRow, FactStateRow, Tables } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import type { TenantScope } from '../../foundation/caller.ts';

/** Facts that were not fanned out yet, from the oldest on without a gap: those behind `after` up to `upTo`. */
export interface Wave {
  readonly after: number;
  readonly upTo: number;
  /** What is among them, and how often. */
  readonly kinds: readonly WaveKind[];
}

export interface WaveKind extends Pick<FactRow, 'tenantId' | 'type' | 'isOwn'> {
  readonly amount: number;
}

/** What fan-out has to know of a fact that somebody may want. */
export type UnroutedFact = Pick<FactRow, 'id' | 'tenantId' | 'type' | 'orderingKey' | 'receivedAt' | 'isOwn'> & {
  readonly position: number;
};

/** A fact that targets were found for. */
export interface WantedFact {
  readonly position: number;
  readonly tenantId: string;
  readonly targets: number;
}

/** How the deliveries of a fact changed, to be counted into its state. */
export interface FactProgress {
  readonly factPosition: number;
  /** Change of the number of unfinished deliveries. */
  readonly open: number;
  /** Change of the number of deliveries that are dead or parked. */
  readonly stuck: number;
}

/** The most frequent progress by far: one delivery less, and it was delivered. */
const isDelivered = ({ open, stuck }: FactProgress): boolean => open === -1 && stuck === 0;

type State = FactStateRow['state'];
type CountName = Tables['factCounts']['name'];

const behindRouted = sql<boolean>`"position" > coalesce((select max("position") from "factStates"), 0)`;

/** What becomes of facts: which are not fanned out yet, what fan-out found for them, how far their deliveries are. */
export const createRoutingStore = ({ build, read }: Database) => {
  const insertState = template<WantedFact & { at: number }>(
    build.insertInto('factStates').values({
      position: slot<number>('position'),
      tenantId: slot<string>('tenantId'),
      state: 'waiting',
      openDeliveries: slot<number>('targets'),
      stuckDeliveries: 0,
      targets: slot<number>('targets'),
      routedAt: slot<number>('at'),
    }),
  );
  const insertRest = template<{ after: number; upTo: number; at: number }>(
    build
      .insertInto('factStates')
      .columns(['position', 'tenantId', 'state', 'openDeliveries', 'stuckDeliveries', 'targets', 'routedAt'])
      .expression((eb) =>
        eb
          .selectFrom('facts')
          .select([
            'position',
            'tenantId',
            sql.lit<State>('no-target').as('state'),
            sql.lit(0).as('openDeliveries'),
            sql.lit(0).as('stuckDeliveries'),
            sql.lit(0).as('targets'),
            sql.val(slot<number>('at')).as('routedAt'),
          ])
          .where('position', '>', slot<number>('after'))
          .where('position', '<=', slot<number>('upTo')),
      )
      .onConflict((conflict) => conflict.doNothing()),
  );
  const settleState = template<FactProgress>(
    build
      .updateTable('factStates')
      .set((eb) => ({ openDeliveries: added(eb, 'openDeliveries'), stuckDeliveries: added(eb, 'stuckDeliveries'), state: newState(eb) }))
      .where('position', '=', slot<number>('factPosition')),
  );
  const settleDelivered = template<{ positions: string }>(
    build
      .updateTable('factStates')
      .set((eb) => ({
        openDeliveries: eb('openDeliveries', '-', 1),
        state: eb
          .case()
          .when('openDeliveries', '>', 1)
          .then(sql.lit<State>('waiting'))
          .when('stuckDeliveries', '>', 0)
          .then(sql.lit<State>('dead'))
          .else(sql.lit<State>('delivered'))
          .end(),
      }))
      .where('position', 'in', sql<number>`(select "value" from ${elementsOf(slot<string>('positions'))})`),
  );
  const addToCount = template<{ tenantId: string; name: CountName; amount: number }>(
    build
      .insertInto('factCounts')
      .values({ tenantId: slot<string>('tenantId'), name: slot<CountName>('name'), amount: slot<number>('amount') })
      .onConflict((conflict) =>
        conflict.columns(['tenantId', 'name']).doUpdateSet((eb) => ({ amount: eb('factCounts.amount', '+', eb.ref('excluded.amount')) })),
      ),
  );

  return {
    /** The oldest facts that were not fanned out yet, of all tenants; for the fan-out alone. Undefined when there is none. */
    async findWave(limit: number): Promise<Wave | undefined> {
      const rows = await read
        .selectFrom((eb) =>
          eb
            .selectFrom('facts')
            .select(['position', 'tenantId', 'type', 'isOwn'])
            .where(behindRouted)
            .orderBy('position')
            .limit(limit)
            .as('wave'),
        )
        .select(({ fn }) => [
          'tenantId',
          'type',
          'isOwn',
          fn.countAll<number>().as('amount'),
          fn.min<number>('position').as('first'),
          fn.max<number>('position').as('last'),
        ])
        .groupBy(['tenantId', 'type', 'isOwn'])
        .execute();
      if (rows.length === 0) return undefined;
      const after = rows.reduce((least, { first }) => Math.min(least, first), Number.POSITIVE_INFINITY) - 1;
      return { after, upTo: rows.reduce((most, { last }) => Math.max(most, last), 0), kinds: rows };
    },

    /** The facts of the wave that are of one of these types, oldest first. */
    findUnrouted: ({ after, upTo }: Wave, types: readonly string[]): Promise<readonly UnroutedFact[]> =>
      read
        .selectFrom('facts')
        .select(['position', 'id', 'tenantId', 'type', 'orderingKey', 'receivedAt', 'isOwn'])
        .where('position', '>', after)
        .where('position', '<=', upTo)
        .where('type', 'in', types)
        .orderBy('position')
        .execute(),

    /** Those that are wanted one by one, all others of the wave in one step. Refused as a whole when one of them was fanned out already. */
    routeWave({ after, upTo, kinds }: Wave, wanted: readonly WantedFact[], at: number): Write[] {
      const rest = kinds.reduce((sum, { amount }) => sum + amount, 0) - wanted.length;
      return [
        ...(wanted.length === 0 ? [] : [insertState.rows(wanted.map((fact) => ({ ...fact, at })))]),
        ...(rest === 0 ? [] : [{ ...insertRest.row({ after, upTo, at }), mustChange: rest }]),
      ];
    },

    /** Those that lost one delivery, which was delivered, are changed in one statement; each counts once, since a target gets a fact once. */
    settleFacts(progress: readonly FactProgress[]): Write[] {
      const delivered = progress.filter(isDelivered).map(({ factPosition }) => factPosition);
      const others = progress.filter((one) => !isDelivered(one));
      return [
        ...(delivered.length === 0
          ? []
          : [{ ...settleDelivered.row({ positions: JSON.stringify(delivered) }), mustChange: delivered.length }]),
        ...(others.length === 0 ? [] : [settleState.rows(others)]),
      ];
    },

    addToCounts: (counts: readonly { tenantId: string; name: CountName; amount: number }[]): Write[] =>
      counts.length === 0 ? [] : [addToCount.rows(counts)],

    async readCounts({ tenantId }: TenantScope): Promise<Readonly<Record<string, number>>> {
      const rows = await read.selectFrom('factCounts').select(['name', 'amount']).where('tenantId', '=', tenantId).execute();
      return Object.fromEntries(rows.map(({ name, amount }) => [name, amount]));
    },

    async countUnrouted({ tenantId }: TenantScope): Promise<number> {
      const row = await read
        .selectFrom('facts')
        .select(({ fn }) => fn.countAll<number>().as('amount'))
        .where(behindRouted)
        .where(sql<string>`"tenantId" || ''`, '=', tenantId) // not by the index of all the tenant's facts
        .executeTakeFirst();
      return row?.amount ?? 0;
    },
  };
};

type StateBuilder = ExpressionBuilder<Tables, 'factStates'>;

const added = (eb: StateBuilder, column: 'openDeliveries' | 'stuckDeliveries') =>
  eb(column, '+', slot<number>(column === 'openDeliveries' ? 'open' : 'stuck'));

const newState = (eb: StateBuilder) =>
  eb
    .case()
    .when(eb(added(eb, 'openDeliveries'), '>', 0))
    .then(sql.lit<State>('waiting'))
    .when(eb(added(eb, 'stuckDeliveries'), '>', 0))
    .then(sql.lit<State>('dead'))
    .else(sql.lit<State>('delivered'))
    .end();
