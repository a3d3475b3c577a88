import { sql } from 'kysely';
import type { Database, Statement, Trx, Write } from '../../../database/database.ts';
import type { ShareDownloadRow, ShareRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import { decodeCursor, type PageRequest } from '../../../foundation/page.ts';
import { fileColumns, type NewFileRow } from '../file-store.ts';
import { isHidden } from '../sight-store.ts';
import type { Viewer } from '../viewer.ts';

type Owner = Pick<Viewer, 'tenantId' | 'ownerId'>;

/** A file that a share gives out. */
export interface SharedFile extends NewFileRow {
  /** 1 where a locked folder hides it: shares unlock nothing. */
  readonly isHidden: number;
}

/** One file of an opened share, as whoever opened it names it. */
interface Download {
  readonly shareId: string;
  readonly opening: string;
  readonly fileId: string;
}

export type ShareStore = ReturnType<typeof createShareStore>;

export const createShareStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertShare = template<ShareRow>(
    build.insertInto('shares').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      ownerId: slot('ownerId'),
      tokenHash: slot('tokenHash'),
      fileId: slot('fileId'),
      folderId: slot('folderId'),
      passwordHash: slot('passwordHash'),
      expiresAt: slot('expiresAt'),
      maxDownloads: slot('maxDownloads'),
      downloads: slot('downloads'),
      createdAt: slot('createdAt'),
      endedAt: slot('endedAt'),
    }),
  );
  const holdFile = template<{ id: string; ownerId: string }>(
    build
      .selectFrom('files')
      .select('id')
      .where('id', '=', slot<string>('id'))
      .where('ownerId', '=', slot<string>('ownerId'))
      .where('state', '=', 'stored'),
  );
  const endShare = template<{ id: string; at: number }>(
    build
      .updateTable('shares')
      .set({ endedAt: slot('at') })
      .where('id', '=', slot<string>('id'))
      .where('endedAt', 'is', null),
  );
  const endOf = (column: 'fileId' | 'folderId') =>
    template<{ id: string; at: number }>(
      build
        .updateTable('shares')
        .set({ endedAt: slot('at') })
        .where(column, '=', slot<string>('id'))
        .where('endedAt', 'is', null),
    );
  const endOfFile = endOf('fileId');
  const endOfFolder = endOf('folderId');
  const forgetEndedBefore = template<{ before: number; limit: number }>(
    build
      .deleteFrom('shares')
      .where('id', 'in', (eb) =>
        eb
          .selectFrom('shares')
          .select('id')
          .where('endedAt', 'is not', null)
          .where('endedAt', '<', slot<number>('before'))
          .limit(slot<number>('limit')),
      ),
  );
  const removeShare = template<{ id: string }>(build.deleteFrom('shares').where('id', '=', slot<string>('id')));

  const countDownload = template<{ id: string; at: number }>(
    build
      .updateTable('shares')
      .set((eb) => ({ downloads: eb('downloads', '+', 1) }))
      .where('id', '=', slot<string>('id'))
      .where('endedAt', 'is', null)
      .where((eb) => eb.or([eb('expiresAt', 'is', null), eb('expiresAt', '>', slot<number>('at'))]))
      .where((eb) => eb.or([eb('maxDownloads', 'is', null), eb('downloads', '<', eb.ref('maxDownloads'))])),
  );
  const rememberDownload = template<ShareDownloadRow>(
    build
      .insertInto('shareDownloads')
      .values({
        shareId: slot('shareId'),
        opening: slot('opening'),
        fileId: slot('fileId'),
        expiresAt: slot('expiresAt'),
        bytesLeft: slot('bytesLeft'),
      })
      .onConflict((conflict) =>
        conflict
          .columns(['shareId', 'opening', 'fileId'])
          .doUpdateSet((eb) => ({ bytesLeft: eb(eb.ref('shareDownloads.bytesLeft'), '+', eb.ref('excluded.bytesLeft')) })),
      ),
  );
  const changeBytesLeft = build
    .updateTable('shareDownloads')
    .set((eb) => ({ bytesLeft: eb('bytesLeft', '+', slot<number>('change')) }))
    .where('shareId', '=', slot<string>('shareId'))
    .where('opening', '=', slot<string>('opening'))
    .where('fileId', '=', slot<string>('fileId'));
  const takeBytes = template<Download & { change: number; bytes: number }>(changeBytesLeft.where('bytesLeft', '>=', slot<number>('bytes')));
  const giveBytesBack = template<Download & { change: number }>(changeBytesLeft);
  const forgetDownloads = template<{ at: number }>(build.deleteFrom('shareDownloads').where('expiresAt', '<=', slot<number>('at')));

  const shares = ({ tenantId, ownerId }: Owner) =>
    read.selectFrom('shares').selectAll().where('tenantId', '=', tenantId).where('ownerId', '=', ownerId);

  /** Of its owner only, whatever the folder holds. */
  const sharedFiles = ({ tenantId, ownerId, fileId, folderId }: ShareRow) => {
    const files = read
      .withRecursive('below', (cte) =>
        cte
          .selectFrom('folders')
          .select('id')
          .where('id', '=', folderId ?? '')
          .where('tenantId', '=', tenantId)
          .unionAll(cte.selectFrom('folders').innerJoin('below', 'below.id', 'folders.parentId').select('folders.id')),
      )
      .selectFrom('files')
      .select(fileColumns)
      .select(isHidden('files.folderId', { tenantId, unlocked: [] }).as('isHidden'))
      .where('files.tenantId', '=', tenantId)
      .where('files.ownerId', '=', ownerId)
      .where('files.state', '=', 'stored');
    return fileId === null
      ? files.where('files.folderId', 'in', (eb) => eb.selectFrom('below').select('below.id'))
      : files.where('files.id', '=', fileId);
  };

  return {
    insertShare: insertShare.row,
    /** Refused where it is not the owner's stored file any more. */
    holdFile: (row: { id: string; ownerId: string }): Statement => ({ ...holdFile.row(row), mustChange: 1 }),
    /** Refused where it has ended already. */
    endShare: (row: { id: string; at: number }): Statement => ({ ...endShare.row(row), mustChange: 1 }),
    /** Ends all shares of what is deleted. */
    endSharesOf: (
      { fileIds = [], folderIds = [] }: { fileIds?: readonly string[]; folderIds?: readonly string[] },
      at: number,
    ): Write[] => [
      ...(fileIds.length === 0 ? [] : [endOfFile.rows(fileIds.map((id) => ({ id, at })))]),
      ...(folderIds.length === 0 ? [] : [endOfFolder.rows(folderIds.map((id) => ({ id, at })))]),
    ],
    /** At most `limit` of those that ended before. */
    forgetEndedBefore: forgetEndedBefore.row,
    removeShares: (ids: readonly string[]): Write => removeShare.rows(ids.map((id) => ({ id }))),

    /** One download more. Refused where the share has ended or is used up: the row decides, however many ask at once. */
    countDownload: (row: { id: string; at: number }): Statement => ({ ...countDownload.row(row), mustChange: 1 }),
    /** Whoever began may go on with it, for so many bytes, besides those that are left of one that was counted before. */
    rememberDownload: rememberDownload.row,
    /** Refused where fewer are left, or nothing was begun: the row decides, however many ask at once. */
    takeBytes: ({ shareId, opening, fileId }: Download, bytes: number): Statement => ({
      ...takeBytes.row({ shareId, opening, fileId, change: -bytes, bytes }),
      mustChange: 1,
    }),
    /** Bytes that were taken and never sent. */
    giveBytesBack: ({ shareId, opening, fileId }: Download, bytes: number): Statement =>
      giveBytesBack.row({ shareId, opening, fileId, change: bytes }),
    forgetDownloads: forgetDownloads.row,

    findByToken: (tokenHash: string): Promise<ShareRow | undefined> =>
      read.selectFrom('shares').selectAll().where('tokenHash', '=', tokenHash).executeTakeFirst(),

    findShare: (owner: Owner, id: string): Promise<ShareRow | undefined> => shares(owner).where('id', '=', id).executeTakeFirst(),

    /** Those that were not ended, newest first, one more than the limit. */
    listShares(owner: Owner, { limit, cursor }: PageRequest): Promise<ShareRow[]> {
      let query = shares(owner).where('endedAt', 'is', null);
      if (cursor !== undefined) query = query.where('id', '<', decodeCursor(cursor, ['string'] as const)[0]);
      return query
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
    },

    async listIdsOf(owner: Owner, limit: number): Promise<readonly string[]> {
      const rows = await shares(owner).clearSelect().select('id').limit(limit).execute();
      return rows.map(({ id }) => id);
    },

    /** Those of files or folders that were not ended; `query` is that of a transaction where they are ended in one. */
    listActiveOf(
      { fileIds = [], folderIds = [] }: { fileIds?: readonly string[]; folderIds?: readonly string[] },
      query: Trx['query'] = read,
    ): Promise<ShareRow[]> {
      if (fileIds.length + folderIds.length === 0) return Promise.resolve([]);
      return query
        .selectFrom('shares')
        .selectAll()
        .where((eb) =>
          eb.or([
            ...(fileIds.length === 0 ? [] : [eb('fileId', 'in', fileIds)]),
            ...(folderIds.length === 0 ? [] : [eb('folderId', 'in', folderIds)]),
          ]),
        )
        .where('endedAt', 'is', null)
        .execute();
    },

    /** Whether a lock hides what is shared; a folder that is gone hides nothing. */
    async isLocked({ tenantId, fileId, folderId }: ShareRow): Promise<boolean> {
      const scope = { tenantId, unlocked: [] };
      const row =
        fileId === null
          ? await read
              .selectFrom('folders')
              .select(isHidden('folders.id', scope).as('isHidden'))
              .where('folders.id', '=', folderId)
              .executeTakeFirst()
          : await read
              .selectFrom('files')
              .select(isHidden('files.folderId', scope).as('isHidden'))
              .where('files.id', '=', fileId)
              .executeTakeFirst();
      return row?.isHidden === 1;
    },

    /** Whether what is shared is there; of a file: stored. */
    async isThere({ tenantId, fileId, folderId }: ShareRow): Promise<boolean> {
      const row =
        fileId === null
          ? await read.selectFrom('folders').select('id').where('id', '=', folderId).where('tenantId', '=', tenantId).executeTakeFirst()
          : await read.selectFrom('files').select('id').where('id', '=', fileId).where('state', '=', 'stored').executeTakeFirst();
      return row !== undefined;
    },

    /** What is given out, by name: a folder with all below it, without what a lock hides. */
    listFiles: (share: ShareRow, limit: number): Promise<SharedFile[]> =>
      sharedFiles(share)
        .where(sql<boolean>`not ${isHidden('files.folderId', { tenantId: share.tenantId, unlocked: [] })}`)
        .orderBy('files.nameKey')
        .orderBy('files.id')
        .limit(limit)
        .execute(),

    /** One of them, also where a lock hides it. */
    findFile: (share: ShareRow, fileId: string): Promise<SharedFile | undefined> =>
      sharedFiles(share).where('files.id', '=', fileId).executeTakeFirst(),

    /** Whether that opening of the share has begun to fetch the file. */
    async hasBegun({ shareId, opening, fileId }: Download): Promise<boolean> {
      const row = await read
        .selectFrom('shareDownloads')
        .select('fileId')
        .where('shareId', '=', shareId)
        .where('opening', '=', opening)
        .where('fileId', '=', fileId)
        .executeTakeFirst();
      return row !== undefined;
    },
  };
};
