import type { Database, Statement, Write } from '../../database/database.ts';

/** Who may do a thing alone. Every act of the holder carries `token`; a newer token fences it off. */
export interface Lease {
  readonly name: string;
  readonly token: number;
  /** What the holder before has given out slots up to. */
  readonly pacedUntil: number;
  /** When it ends unless it is renewed. */
  readonly expiresAt: number;
}

/** Leases of one process. `holder` is new at each start, so a process never takes itself for the one before. */
export const createLeaseStore = ({ database, holder, ttlMs }: { database: Database; holder: string; ttlMs: number }) => {
  const { build } = database;
  return {
    ttlMs,

    /** Takes the lease when it is free or has ended; `undefined` while another holds it. `byForce`: nobody else can be alive. */
    async acquire(name: string, now: number, { byForce }: { byForce: boolean }): Promise<Lease | undefined> {
      const taking = build
        .insertInto('leases')
        .values({ name, holder, token: 1, expiresAt: now + ttlMs, pacedUntil: 0, heldAt: now })
        .onConflict((conflict) => {
          const update = conflict.column('name').doUpdateSet((eb) => ({
            holder: eb.ref('excluded.holder'),
            token: eb('leases.token', '+', 1),
            expiresAt: eb.ref('excluded.expiresAt'),
            // Held at a time that is still to come: the clock was set back since, and what is reserved goes back with it.
            pacedUntil: eb
              .case()
              .when('leases.heldAt', '>', now)
              .then(eb(eb('leases.pacedUntil', '-', eb.ref('leases.heldAt')), '+', now))
              .else(eb.ref('leases.pacedUntil'))
              .end(),
            heldAt: now,
          }));
          return byForce ? update : update.where('leases.expiresAt', '<=', now);
        })
        .returning(['name', 'token', 'pacedUntil', 'expiresAt'])
        .compile();
      const [result] = await database.write([taking]);
      return result?.rows[0] as Lease | undefined; // the columns that the statement returns
    },

    /** To stand first in every act of the holder: the act is refused when the lease has gone to somebody else. */
    holdOn: ({ name, token }: Lease, now: number, pacedUntil: number): Statement => ({
      ...build
        .updateTable('leases')
        .set((eb) => ({
          expiresAt: now + ttlMs,
          heldAt: now,
          pacedUntil: eb.case().when('pacedUntil', '>', pacedUntil).then(eb.ref('pacedUntil')).else(pacedUntil).end(),
        }))
        .where('name', '=', name)
        .where('token', '=', token)
        .compile(),
      mustChange: 1,
    }),

    /** Renews all leases of this process that still are its own; resolves with their names. */
    async renewAll(now: number): Promise<ReadonlySet<string>> {
      const renewing = build
        .updateTable('leases')
        .set({ expiresAt: now + ttlMs, heldAt: now })
        .where('holder', '=', holder)
        .where('expiresAt', '>', 0)
        .returning('name')
        .compile();
      const [result] = await database.write([renewing]);
      return new Set(result?.rows.map(({ name }) => String(name)));
    },

    release: ({ name, token }: Lease): Write[] => [
      build.updateTable('leases').set({ expiresAt: 0 }).where('name', '=', name).where('token', '=', token).compile(),
    ],
  };
};

export type LeaseStore = ReturnType<typeof createLeaseStore>;
