import type { Database, Statement } from '../../../database/database.ts';
import type { DeviceAuthorizationRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';

/** What a person decides about a code that is still open. */
export type Decision = Pick<DeviceAuthorizationRow, 'userCodeHash' | 'tenantId' | 'personId'> & {
  readonly state: 'approved' | 'denied';
  readonly now: number;
};

export type DeviceAuthorizationStore = ReturnType<typeof createDeviceAuthorizationStore>;

export const createDeviceAuthorizationStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insert = template<DeviceAuthorizationRow>(
    build.insertInto('deviceAuthorizations').values({
      deviceCodeHash: slot('deviceCodeHash'),
      userCodeHash: slot('userCodeHash'),
      clientId: slot('clientId'),
      scopesJson: slot('scopesJson'),
      state: slot('state'),
      tenantId: slot('tenantId'),
      personId: slot('personId'),
      intervalMs: slot('intervalMs'),
      polledAt: slot('polledAt'),
      createdAt: slot('createdAt'),
      expiresAt: slot('expiresAt'),
    }),
  );
  const decide = template<Decision>(
    build
      .updateTable('deviceAuthorizations')
      .set({ state: slot('state'), tenantId: slot('tenantId'), personId: slot('personId') })
      .where('userCodeHash', '=', slot<string>('userCodeHash'))
      .where('state', '=', 'pending')
      .where('expiresAt', '>', slot<number>('now')),
  );
  const use = template<{ deviceCodeHash: string; now: number }>(
    build
      .updateTable('deviceAuthorizations')
      .set({ state: 'used' })
      .where('deviceCodeHash', '=', slot<string>('deviceCodeHash'))
      .where('state', '=', 'approved')
      .where('expiresAt', '>', slot<number>('now')),
  );
  const notePoll = template<{ deviceCodeHash: string; now: number; toleranceMs: number }>(
    build
      .updateTable('deviceAuthorizations')
      .set({ polledAt: slot('now') })
      .where('deviceCodeHash', '=', slot<string>('deviceCodeHash'))
      .where((eb) =>
        eb.or([
          eb('polledAt', 'is', null),
          eb(eb('polledAt', '+', eb.ref('intervalMs')), '<=', eb(eb.val(slot<number>('now')), '+', slot<number>('toleranceMs'))),
        ]),
      ),
  );
  const slowDown = template<{ deviceCodeHash: string; now: number; byMs: number }>(
    build
      .updateTable('deviceAuthorizations')
      .set((eb) => ({ polledAt: slot<number>('now'), intervalMs: eb('intervalMs', '+', slot<number>('byMs')) }))
      .where('deviceCodeHash', '=', slot<string>('deviceCodeHash')),
  );
  return {
    /** Rejects with `UniqueViolation` when the user code is in use. */
    insertDeviceAuthorization: insert.row,
    /** Refused by the database when the code is not open any more: of parallel decisions exactly one counts. */
    decideDeviceAuthorization: (row: Decision): Statement => ({ ...decide.row(row), mustChange: 1 }),
    /** Refused by the database when the code was traded already: of parallel trades exactly one is carried out. */
    useDeviceAuthorization: (row: { deviceCodeHash: string; now: number }): Statement => ({ ...use.row(row), mustChange: 1 }),
    /** Changes nothing when the last poll was less than the interval ago, save for a tolerance. */
    notePoll: notePoll.row,
    slowDown: slowDown.row,

    /** The codes are the proof, so these reads have no other scope. */
    findByDeviceCode: (deviceCodeHash: string): Promise<DeviceAuthorizationRow | undefined> =>
      read.selectFrom('deviceAuthorizations').selectAll().where('deviceCodeHash', '=', deviceCodeHash).executeTakeFirst(),
    findByUserCode: (userCodeHash: string): Promise<DeviceAuthorizationRow | undefined> =>
      read.selectFrom('deviceAuthorizations').selectAll().where('userCodeHash', '=', userCodeHash).executeTakeFirst(),
  };
};
