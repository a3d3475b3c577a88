import { sql } from 'kysely';
import type { Database } from '../../database/database.ts';
import { elementsOf } from '../../database/dialect.ts';
import { isHidden } from './sight-store.ts';
import type { Viewer } from './viewer.ts';

/** Whose an item is, and whether a locked folder hides it from the viewer. */
export interface Owned {
  readonly ownerId: string;
  readonly isHidden: boolean;
}

type Row = { readonly id: string; readonly ownerId: string; readonly isHidden: number };

const among = (ids: readonly string[]) => sql<string>`(select "value" from ${elementsOf(JSON.stringify(ids))})`;

const byId = (rows: readonly Row[]): ReadonlyMap<string, Owned> =>
  new Map(rows.map(({ id, ownerId, isHidden: hidden }) => [id, { ownerId, isHidden: hidden === 1 }]));

/** For traces: they are told of every item of the tenant, and decide by what they are told here. */
export const createOwnerStore = ({ read }: Pick<Database, 'read'>) => ({
  async ownersOfFiles(viewer: Viewer, ids: readonly string[]): Promise<ReadonlyMap<string, Owned>> {
    const query = read.selectFrom('files').select(['files.id', 'files.ownerId', isHidden('files.folderId', viewer).as('isHidden')]);
    return byId(await query.where('files.tenantId', '=', viewer.tenantId).where('files.id', 'in', among(ids)).execute());
  },

  async ownersOfFolders(viewer: Viewer, ids: readonly string[]): Promise<ReadonlyMap<string, Owned>> {
    const query = read.selectFrom('folders').select(['folders.id', 'folders.ownerId', isHidden('folders.id', viewer).as('isHidden')]);
    return byId(await query.where('folders.tenantId', '=', viewer.tenantId).where('folders.id', 'in', among(ids)).execute());
  },

  /** A share is hidden with what it shares. */
  async ownersOfShares(viewer: Viewer, ids: readonly string[]): Promise<ReadonlyMap<string, Owned>> {
    const query = read
      .selectFrom('shares')
      .leftJoin('files', 'files.id', 'shares.fileId')
      .leftJoin('folders', 'folders.id', 'shares.folderId')
      .select([
        'shares.id',
        'shares.ownerId',
        sql<number>`(${isHidden('files.folderId', viewer)} or ${isHidden('folders.id', viewer)})`.as('isHidden'),
      ]);
    return byId(await query.where('shares.tenantId', '=', viewer.tenantId).where('shares.id', 'in', among(ids)).execute());
  },
});
