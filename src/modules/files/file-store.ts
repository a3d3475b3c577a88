import { sql } from 'kysely';
import type { Database, Statement, Trx } from '../../database/database.ts';
import type { FileRow } from '../../database/tables.ts';
import { preparedRead, slot, template } from '../../database/template.ts';
import { wordsOf } from './catalogue/search-words.ts';
import { isHidden, isReadableBy, isSeenBy, isUnderLock } from './sight-store.ts';
import type { Viewer } from './viewer.ts';

/** A file as it is written; its place in the order of files and the words it is found by come with the row. */
export type NewFileRow = Omit<FileRow, 'position' | 'words'>;

/** A row that the viewer may see, with what it may do. */
export interface SeenFile extends NewFileRow {
  /** 1 where a locked folder hides it from the viewer. */
  readonly isHidden: number;
  /** 1 where the viewer may have its bytes. */
  readonly isReadable: number;
  /** 1 where its folder or one above has a lock, unlocked or not. */
  readonly isUnderLock: number;
}

/** A row for somebody who shows a link and has not said who it is. */
export type HeldFile = NewFileRow & Pick<SeenFile, 'isUnderLock'>;

export const fileColumns = [
  'files.id',
  'files.tenantId',
  'files.ownerId',
  'files.senderId',
  'files.name',
  'files.nameKey',
  'files.title',
  'files.description',
  'files.category',
  'files.language',
  'files.provider',
  'files.rolesJson',
  'files.folderId',
  'files.visibility',
  'files.type',
  'files.size',
  'files.sha256',
  'files.state',
  'files.reason',
  'files.downloads',
  'files.createdAt',
  'files.updatedAt',
  'files.trashedAt',
] as const;

export type FileStore = ReturnType<typeof createFileStore>;

export const createFileStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertFile = template<NewFileRow & { words: string }>(
    build.insertInto('files').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      ownerId: slot('ownerId'),
      senderId: slot('senderId'),
      name: slot('name'),
      nameKey: slot('nameKey'),
      title: slot('title'),
      description: slot('description'),
      category: slot('category'),
      language: slot('language'),
      provider: slot('provider'),
      rolesJson: slot('rolesJson'),
      folderId: slot('folderId'),
      visibility: slot('visibility'),
      type: slot('type'),
      size: slot('size'),
      sha256: slot('sha256'),
      state: slot('state'),
      reason: slot('reason'),
      downloads: slot('downloads'),
      createdAt: slot('createdAt'),
      updatedAt: slot('updatedAt'),
      trashedAt: slot('trashedAt'),
      words: slot('words'),
    }),
  );

  const findHeldFile = preparedRead<{ id: string }, HeldFile>(
    read,
    build
      .selectFrom('files')
      .select(fileColumns)
      .select(isUnderLock.as('isUnderLock'))
      .where('files.id', '=', slot<string>('id'))
      .where('files.state', '=', 'stored'),
  );
  const updateFields = template<NewFileRow & { words: string }>(
    build
      .updateTable('files')
      .set({
        name: slot('name'),
        nameKey: slot('nameKey'),
        title: slot('title'),
        description: slot('description'),
        category: slot('category'),
        language: slot('language'),
        provider: slot('provider'),
        rolesJson: slot('rolesJson'),
        folderId: slot('folderId'),
        visibility: slot('visibility'),
        updatedAt: slot('updatedAt'),
        words: slot('words'),
      })
      .where('id', '=', slot<string>('id')),
  );

  const seen = (viewer: Viewer) =>
    read
      .selectFrom('files')
      .select(fileColumns)
      .select([
        isHidden('files.folderId', viewer).as('isHidden'),
        sql<number>`${isReadableBy(viewer)}`.as('isReadable'),
        isUnderLock.as('isUnderLock'),
      ])
      .where(isSeenBy(viewer));

  return {
    insertFile: (row: NewFileRow): Statement => insertFile.row({ ...row, words: wordsOf(row) }),

    /** What is said of the file; its bytes and its state stay. Belongs into `ledger.around`. */
    updateFields: (row: NewFileRow): Statement => updateFields.row({ ...row, words: wordsOf(row) }),

    /** The viewer's own file, which nobody else changes before the transaction is over. */
    holdFile: ({ query }: Pick<Trx, 'query'>, viewer: Viewer, id: string): Promise<NewFileRow | undefined> =>
      query
        .selectFrom('files')
        .select(fileColumns)
        .where('files.id', '=', id)
        .where('files.tenantId', '=', viewer.tenantId)
        .where('files.ownerId', '=', viewer.ownerId)
        .executeTakeFirst(),

    /** Whoever's it is: for what has to be known of the row itself. */
    hasFile: async (id: string): Promise<boolean> =>
      (await read.selectFrom('files').select('id').where('id', '=', id).executeTakeFirst()) !== undefined,

    /** The file where the viewer may see its row. */
    findFile: (viewer: Viewer, id: string): Promise<SeenFile | undefined> => seen(viewer).where('files.id', '=', id).executeTakeFirst(),

    /** A stored file, whoever's it is: for those who proved by a signature, or need not prove, that they may have it. */
    async findHeldFile(id: string): Promise<HeldFile | undefined> {
      return (await findHeldFile({ id }))[0];
    },

    /** The viewer's own newest stored file of that name (as compared). */
    findByName: (viewer: Viewer, nameKey: string): Promise<SeenFile | undefined> =>
      seen(viewer)
        .where('files.ownerId', '=', viewer.ownerId)
        .where('files.nameKey', '=', nameKey)
        .where('files.state', '=', 'stored')
        .orderBy('files.id', 'desc')
        .limit(1)
        .executeTakeFirst(),
  };
};
