import type { Database, Statement, Write } from '../../../database/database.ts';
import type { PairingRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';

export type PairingStore = ReturnType<typeof createPairingStore>;

/** PINs that wait to be traded. Whoever trades one has no tenant yet: device ids are unique in the instance. */
export const createPairingStore = ({ build }: Pick<Database, 'build'>) => {
  const removePairings = template<{ deviceId: string }>(build.deleteFrom('pairings').where('deviceId', '=', slot<string>('deviceId')));
  const insertPairing = template<PairingRow>(
    build.insertInto('pairings').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      personId: slot('personId'),
      deviceId: slot('deviceId'),
      name: slot('name'),
      pinHash: slot('pinHash'),
      triesLeft: slot('triesLeft'),
      createdAt: slot('createdAt'),
      expiresAt: slot('expiresAt'),
      usedAt: slot('usedAt'),
    }),
  );
  const takeTry = template<{ deviceId: string; at: number }>(
    build
      .updateTable('pairings')
      .set((eb) => ({ triesLeft: eb('triesLeft', '-', 1) }))
      .where('id', '=', (eb) =>
        eb.selectFrom('pairings').select('id').where('deviceId', '=', slot<string>('deviceId')).orderBy('id', 'desc').limit(1),
      )
      .where('triesLeft', '>', 0)
      .where('usedAt', 'is', null)
      .where('expiresAt', '>', slot<number>('at'))
      .returningAll(),
  );
  const usePairing = template<{ id: string; at: number }>(
    build
      .updateTable('pairings')
      .set({ usedAt: slot('at') })
      .where('id', '=', slot<string>('id'))
      .where('usedAt', 'is', null),
  );

  return {
    /** From then on it is the only one of its device id. */
    replacePairing: (row: PairingRow): Write[] => [removePairings.row(row), insertPairing.row(row)],
    /**
     * Takes one of the tries of the device id's newest pairing, and returns its row where it had one left and could still be traded.
     * Taken before the PIN is looked at, so that however many guess at once, none guesses more often than there are tries.
     */
    takeTry: takeTry.row,
    /** Refused by the database when the PIN was traded already: of many at once exactly one is carried out. */
    usePairing: (row: { id: string; at: number }): Statement => ({ ...usePairing.row(row), mustChange: 1 }),
  };
};
