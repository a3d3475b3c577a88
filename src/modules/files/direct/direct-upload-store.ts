import { sql } from 'kysely';
import type { Database } from '../../../database/database.ts';
import { fileColumns } from '../file-store.ts';
import type { ExpectedFile } from '../receiving/settle-store.ts';
import { isUnderLock } from '../sight-store.ts';

export type DirectUploadStore = ReturnType<typeof createDirectUploadStore>;

export const createDirectUploadStore = ({ read }: Pick<Database, 'read'>) => ({
  /**
   * A file of any owner and in any state, for who proves by a signature or a key that it may bring its bytes. Those of resumable uploads
   * are not among them: they have a protocol of their own.
   */
  findDirect: (id: string): Promise<ExpectedFile | undefined> =>
    read
      .selectFrom('files')
      .select(fileColumns)
      .select(isUnderLock.as('isUnderLock'))
      .where('files.id', '=', id)
      .where(sql<boolean>`not exists (select 1 from "uploads" where "uploads"."id" = "files"."id")`)
      .executeTakeFirst(),
});
