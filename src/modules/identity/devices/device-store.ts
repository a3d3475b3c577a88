import type { Database, Statement } from '../../../database/database.ts';
import type { DeviceRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import type { TenantScope } from '../../../foundation/caller.ts';
import { decodeCursor, type PageRequest } from '../../../foundation/page.ts';

/** Whose devices a read or write is limited to. */
export type DeviceScope = Pick<DeviceRow, 'tenantId' | 'personId'>;

export type DeviceStore = ReturnType<typeof createDeviceStore>;

export const createDeviceStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertDevice = template<DeviceRow>(
    build.insertInto('devices').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      personId: slot('personId'),
      deviceId: slot('deviceId'),
      name: slot('name'),
      createdAt: slot('createdAt'),
      lastUsedAt: slot('lastUsedAt'),
    }),
  );
  const renewDevice = template<Pick<DeviceRow, 'id' | 'tenantId' | 'personId' | 'name'>>(
    build
      .updateTable('devices')
      .set({ name: slot('name') })
      .where('id', '=', slot<string>('id'))
      .where('tenantId', '=', slot<string>('tenantId'))
      .where('personId', '=', slot<string>('personId')),
  );
  const markDeviceUsed = template<{ tenantId: string; id: string; at: number }>(
    build
      .updateTable('devices')
      .set({ lastUsedAt: slot('at') })
      .where('id', '=', slot<string>('id'))
      .where('tenantId', '=', slot<string>('tenantId')),
  );
  const removeDevice = template<DeviceScope & { id: string }>(
    build
      .deleteFrom('devices')
      .where('id', '=', slot<string>('id'))
      .where('tenantId', '=', slot<string>('tenantId'))
      .where('personId', '=', slot<string>('personId')),
  );

  return {
    findDevice: (scope: TenantScope, id: string): Promise<DeviceRow | undefined> =>
      read.selectFrom('devices').selectAll().where('id', '=', id).where('tenantId', '=', scope.tenantId).executeTakeFirst(),

    /** Rejects with `UniqueViolation` where the device id has a row. */
    insertDevice: insertDevice.row,
    /** These are refused by the database where the device is not there, or not this person's, any more. */
    renewDevice: (row: Parameters<typeof renewDevice.row>[0]): Statement => ({ ...renewDevice.row(row), mustChange: 1 }),
    markDeviceUsed: (row: Parameters<typeof markDeviceUsed.row>[0]): Statement => ({ ...markDeviceUsed.row(row), mustChange: 1 }),
    removeDevice: (row: DeviceScope & { id: string }): Statement => ({ ...removeDevice.row(row), mustChange: 1 }),

    /** Whosever it is: the id that a device gave itself is unique in the instance, and pairing it anew takes it over. */
    findDeviceByDeviceId: (deviceId: string): Promise<DeviceRow | undefined> =>
      read.selectFrom('devices').selectAll().where('deviceId', '=', deviceId).executeTakeFirst(),

    /** The person's devices, newest first, one more than the limit. */
    async listDevices({ tenantId, personId }: DeviceScope, { limit, cursor }: PageRequest): Promise<DeviceRow[]> {
      const query = read
        .selectFrom('devices')
        .selectAll()
        .where('personId', '=', personId)
        .where('tenantId', '=', tenantId)
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (cursor === undefined) return await query.execute();
      const [id] = decodeCursor(cursor, ['string'] as const);
      return await query.where('id', '<', id).execute();
    },
  };
};
