import { type RawBuilder, sql } from 'kysely';
import { elementsOf } from '../../database/dialect.ts';
import type { Viewer } from './viewer.ts';

// Who sees which rows of "files": one expression for lists, single files, search and statistics, so that they cannot differ.

/**
 * Stored files for everybody of the tenant, or for some audiences of it; public ones. What is not stored (or not any more) is for its
 * owner alone.
 */
const isOpenTo = ({ audiences }: Viewer): RawBuilder<boolean> =>
  sql<boolean>`("files"."state" = 'stored' and ("files"."visibility" = 'public' or ("files"."visibility" = 'tenant' and (
    "files"."rolesJson" = '[]' or exists (
      select 1 from ${elementsOf(sql.ref('files.rolesJson'))} as "role"
      where "role"."value" in (select "value" from ${elementsOf(JSON.stringify(audiences))}))))))`;

/** Rows that the viewer may see, whatever is locked. An admin sees those of all its tenant. */
export const isSeenBy = (viewer: Viewer): RawBuilder<boolean> => {
  const inTenant = sql<boolean>`"files"."tenantId" = ${viewer.tenantId}`;
  if (viewer.isAdmin) return inTenant;
  return sql<boolean>`(${inTenant} and ("files"."ownerId" = ${viewer.ownerId} or ${isOpenTo(viewer)}))`;
};

/** Files whose bytes the viewer may have: an admin's are its own and those that are open to it. */
export const isReadableBy = (viewer: Viewer): RawBuilder<boolean> => {
  const inTenant = sql<boolean>`"files"."tenantId" = ${viewer.tenantId}`;
  return sql<boolean>`(${inTenant} and ("files"."ownerId" = ${viewer.ownerId} or ${isOpenTo(viewer)}))`;
};

/**
 * The folders of the tenant that are locked, and all below them. A locked folder within a locked one needs both unlocked: each is a
 * beginning of its own.
 */
const hiddenFolders = (tenantId: string, unlockedJson: string): RawBuilder<unknown> =>
  sql`(with recursive "hidden" ("id") as (
    select "id" from "folders" where "tenantId" = ${tenantId} and "lockHash" is not null
      and "id" not in (select "value" from ${elementsOf(unlockedJson)})
    union select "folders"."id" from "folders" join "hidden" on "folders"."parentId" = "hidden"."id")
    select "id" from "hidden")`;

type FolderColumn = 'files.folderId' | 'accesses.folderId' | 'folders.id' | 'folders.parentId';

/** Whether the folder that the column names hides what is in it; false where there is none. */
export const isHidden = (column: FolderColumn, { tenantId, unlocked }: Pick<Viewer, 'tenantId' | 'unlocked'>) =>
  sql<number>`(${sql.ref(column)} is not null and ${sql.ref(column)} in ${hiddenFolders(tenantId, JSON.stringify(unlocked))})`;

/** The same the other way round, for statements that are compiled once: `unlockedJson` is a list as JSON. */
export const isOpenFolder = (tenantId: string, unlockedJson: string): RawBuilder<boolean> =>
  sql<boolean>`"folders"."id" not in ${hiddenFolders(tenantId, unlockedJson)}`;

/** Whether the file is in a locked folder or below one, whatever anybody has unlocked; asked of single files, from the folder upwards. */
export const isUnderLock = sql<number>`("files"."folderId" is not null and exists (
  with recursive "above" ("parentId", "lockHash") as (
    select "parentId", "lockHash" from "folders" where "id" = "files"."folderId"
    union all select "folders"."parentId", "folders"."lockHash" from "folders" join "above" on "folders"."id" = "above"."parentId")
  select 1 from "above" where "lockHash" is not null))`;
