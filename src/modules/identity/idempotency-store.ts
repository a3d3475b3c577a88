import type { Database } from '../../database/database.ts';
import type { IdempotencyKeyRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';

type Begin = Pick<IdempotencyKeyRow, 'callerId' | 'idempotencyKey' | 'requestDigest' | 'createdAt' | 'expiresAt'> & {
  /** A row that runs since before this was left behind by a crash. */
  readonly staleBefore: number;
};

type Finish = Pick<IdempotencyKeyRow, 'callerId' | 'idempotencyKey' | 'sealedBody' | 'personId'> & { readonly status: number };

export const createIdempotencyKeyStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const beginKey = template<Begin>(
    build
      .insertInto('idempotencyKeys')
      .values({
        callerId: slot('callerId'),
        idempotencyKey: slot('idempotencyKey'),
        requestDigest: slot('requestDigest'),
        state: 'running',
        status: null,
        sealedBody: null,
        personId: null,
        createdAt: slot('createdAt'),
        expiresAt: slot('expiresAt'),
      })
      .onConflict((conflict) =>
        conflict
          .columns(['callerId', 'idempotencyKey'])
          .doUpdateSet((eb) => ({
            requestDigest: eb.ref('excluded.requestDigest'),
            state: 'running',
            status: null,
            sealedBody: null,
            personId: null,
            createdAt: eb.ref('excluded.createdAt'),
            expiresAt: eb.ref('excluded.expiresAt'),
          }))
          .where((eb) =>
            eb.or([
              eb('idempotencyKeys.expiresAt', '<=', slot<number>('createdAt')),
              eb.and([
                eb('idempotencyKeys.state', '=', 'running'),
                eb('idempotencyKeys.createdAt', '<=', slot<number>('staleBefore')),
                eb('idempotencyKeys.requestDigest', '=', slot<string>('requestDigest')),
              ]),
            ]),
          ),
      ),
  );
  const finishKey = template<Finish>(
    build
      .updateTable('idempotencyKeys')
      .set({ state: 'done', status: slot('status'), sealedBody: slot('sealedBody'), personId: slot('personId') })
      .where('callerId', '=', slot<string>('callerId'))
      .where('idempotencyKey', '=', slot<string>('idempotencyKey')),
  );
  const releaseKey = template<{ callerId: string; idempotencyKey: string }>(
    build
      .deleteFrom('idempotencyKeys')
      .where('callerId', '=', slot<string>('callerId'))
      .where('idempotencyKey', '=', slot<string>('idempotencyKey'))
      .where('state', '=', 'running'),
  );
  const removeExpiredKeys = template<{ before: number; limit: number }>(
    build
      .deleteFrom('idempotencyKeys')
      .where((eb) =>
        eb(
          eb.refTuple('callerId', 'idempotencyKey'),
          'in',
          eb
            .selectFrom('idempotencyKeys')
            .select(['callerId', 'idempotencyKey'])
            .where('expiresAt', '<', slot<number>('before'))
            .limit(slot<number>('limit'))
            .$asTuple('callerId', 'idempotencyKey'),
        ),
      ),
  );

  return {
    /** Changes one row when the caller is the first with this key, or takes over what is expired or was left behind; else none. */
    beginKey: beginKey.row,
    finishKey: finishKey.row,
    releaseKey: releaseKey.row,
    removeExpiredKeys: removeExpiredKeys.row,

    findKey: (callerId: string, idempotencyKey: string): Promise<IdempotencyKeyRow | undefined> =>
      read
        .selectFrom('idempotencyKeys')
        .selectAll()
        .where('callerId', '=', callerId)
        .where('idempotencyKey', '=', idempotencyKey)
        .executeTakeFirst(),
  };
};
