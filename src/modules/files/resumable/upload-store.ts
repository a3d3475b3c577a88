import { sql } from 'kysely';
import type { Database, Statement } from '../../../database/database.ts';
import type { FileRow, UploadRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import { isHidden } from '../sight-store.ts';
import type { Viewer } from '../viewer.ts';

/** An upload with what its file says. */
export interface FoundUpload extends UploadRow {
  /** Null where it has no file: it is a partial one, or the file was removed. */
  readonly fileState: FileRow['state'] | null;
  /** What was declared of the file's type; empty where nothing was. */
  readonly fileType: string | null;
  /** The room that the file holds. */
  readonly fileSize: number | null;
  /** 1 where a locked folder hides the file from the viewer. */
  readonly isHidden: number;
}

export type UploadStore = ReturnType<typeof createUploadStore>;

export const createUploadStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertUpload = template<UploadRow>(
    build.insertInto('uploads').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      ownerId: slot('ownerId'),
      kind: slot('kind'),
      state: slot('state'),
      length: slot('length'),
      reservedBytes: slot('reservedBytes'),
      metadata: slot('metadata'),
      concatenation: slot('concatenation'),
      createdAt: slot('createdAt'),
      expiresAt: slot('expiresAt'),
    }),
  );

  const openUpload = (state: UploadRow['state'] = 'open') =>
    build.updateTable('uploads').where('id', '=', slot<string>('id')).where('state', '=', state);

  const touch = template<{ id: string; expiresAt: number }>(openUpload().set({ expiresAt: slot('expiresAt') }));
  const setLength = template<{ id: string; length: number }>(
    openUpload()
      .set({ length: slot('length') })
      .where('length', 'is', null),
  );
  const setReserved = template<{ id: string; bytes: number }>(openUpload().set({ reservedBytes: slot('bytes') }));
  const close = template<{ id: string; state: UploadRow['state']; expiresAt: number }>(
    openUpload().set({ state: slot('state'), reservedBytes: 0, expiresAt: slot('expiresAt') }),
  );
  const endStored = template<{ id: string }>(openUpload('stored').set({ state: 'ended' }));
  const expireOpen = template<{ id: string; now: number; expiresAt: number }>(
    openUpload()
      .set({ state: 'ended', reservedBytes: 0, expiresAt: slot('expiresAt') })
      .where('expiresAt', '<=', slot<number>('now')),
  );
  const removeUpload = template<{ id: string }>(build.deleteFrom('uploads').where('id', '=', slot<string>('id')));

  /** An empty `ownerId` is the whole tenant's, as in the usage of files. */
  const holdPartial = template<{ id: string; tenantId: string; ownerId: string; limit: number }>(
    openUpload()
      .set((eb) => ({ reservedBytes: eb.ref('reservedBytes') }))
      .where(
        sql<number>`(select coalesce(sum("bytes"), 0) from "fileUsage" where "tenantId" = ${slot<string>('tenantId')}
            and "ownerId" = ${slot<string>('ownerId')})
          + (select coalesce(sum("reservedBytes"), 0) from "uploads" where "tenantId" = ${slot<string>('tenantId')}
            and ${slot<string>('ownerId')} in ("ownerId", ''))`,
        '<=',
        slot<number>('limit'),
      ),
  );

  const withFile = () => read.selectFrom('uploads').leftJoin('files', 'files.id', 'uploads.id').selectAll('uploads');

  return {
    insertUpload: (row: UploadRow): Statement => insertUpload.row(row),
    touch: (row: { id: string; expiresAt: number }): Statement => touch.row(row),
    /** Refused where the length is known already. */
    setLength: (row: { id: string; length: number }): Statement => ({ ...setLength.row(row), mustChange: 1 }),
    setReserved: (row: { id: string; bytes: number }): Statement => ({ ...setReserved.row(row), mustChange: 1 }),
    /** The same for a part that may have ended meanwhile: then it holds none any more. */
    setReservedIfOpen: (row: { id: string; bytes: number }): Statement => setReserved.row(row),
    /** Of an open upload: its file is stored, or nothing will come of it. */
    close: (row: { id: string; state: UploadRow['state']; expiresAt: number }): Statement => close.row(row),
    endStored: (row: { id: string }): Statement => endStored.row(row),
    /** Ends an open upload; refused where bytes came meanwhile. */
    expireOpen: (row: { id: string; now: number; expiresAt: number }): Statement => ({ ...expireOpen.row(row), mustChange: 1 }),
    removeUpload: (row: { id: string }): Statement => removeUpload.row(row),
    /** Behind the reservation of a partial upload: refused where files and partial uploads together take more than they may. */
    holdPartial: (row: { id: string; tenantId: string; ownerId: string; limit: number }): Statement => ({
      ...holdPartial.row(row),
      mustChange: 1,
    }),

    /** The viewer's own. */
    findUpload: (viewer: Viewer, id: string): Promise<FoundUpload | undefined> =>
      withFile()
        .select([
          'files.state as fileState',
          'files.type as fileType',
          'files.size as fileSize',
          isHidden('files.folderId', viewer).as('isHidden'),
        ])
        .where('uploads.id', '=', id)
        .where('uploads.tenantId', '=', viewer.tenantId)
        .where('uploads.ownerId', '=', viewer.ownerId)
        .executeTakeFirst(),

    /** Of all tenants: uploads whose time is over, those waiting longest first. */
    listOverdue: (now: number, limit: number): Promise<UploadRow[]> =>
      read.selectFrom('uploads').selectAll().where('expiresAt', '<=', now).orderBy('expiresAt').limit(limit).execute(),

    /** Of all tenants: open uploads of files behind `after`, in the order of their ids. */
    listOpen: (after: string, limit: number): Promise<UploadRow[]> =>
      read
        .selectFrom('uploads')
        .selectAll()
        .where('state', '=', 'open')
        .where('kind', '<>', 'partial')
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute(),

    listOfOwner: (owner: { tenantId: string; ownerId: string }, limit: number): Promise<UploadRow[]> =>
      read
        .selectFrom('uploads')
        .selectAll()
        .where('tenantId', '=', owner.tenantId)
        .where('ownerId', '=', owner.ownerId)
        .limit(limit)
        .execute(),
  };
};
