import type { Database } from '../../database/database.ts';
import type { DeviceRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import type { TenantScope } from '../../foundation/caller.ts';

export type DeviceStore = ReturnType<typeof createDeviceStore>;

export const createDeviceStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const removeDevicesOf = template<{ personId: string }>(build.deleteFrom('devices').where('personId', '=', slot<string>('personId')));
  const removePairingsOf = template<{ personId: string }>(build.deleteFrom('pairings').where('personId', '=', slot<string>('personId')));
  const removeAuthorizationsOf = template<{ personId: string }>(
    build.deleteFrom('deviceAuthorizations').where('personId', '=', slot<string>('personId')),
  );

  return {
    findDevice: (scope: TenantScope, id: string): Promise<DeviceRow | undefined> =>
      read.selectFrom('devices').selectAll().where('id', '=', id).where('tenantId', '=', scope.tenantId).executeTakeFirst(),

    /** A person's devices, and those that it was about to let in. */
    removeAllOfPerson: (row: { personId: string }) => [
      removeDevicesOf.row(row),
      removePairingsOf.row(row),
      removeAuthorizationsOf.row(row),
    ],
  };
};
