import type { Database } from '../../database/database.ts';
import type { DeviceRow } from '../../database/tables.ts';
import type { TenantScope } from '../../foundation/caller.ts';

export type DeviceStore = ReturnType<typeof createDeviceStore>;

export const createDeviceStore = ({ read }: Pick<Database, 'build' | 'read'>) => ({
  findDevice: (scope: TenantScope, id: string): Promise<DeviceRow | undefined> =>
    read.selectFrom('devices').selectAll().where('id', '=', id).where('tenantId', '=', scope.tenantId).executeTakeFirst(),
});
