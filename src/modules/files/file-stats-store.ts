import { type RawBuilder, sql } from 'kysely';
import type { Database, Write } from '../../database/database.ts';
import { elementsOf } from '../../database/dialect.ts';
import type { FileStatRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import { isHidden, isSeenBy } from './sight-store.ts';
import type { Viewer } from './viewer.ts';

export interface StatCount {
  readonly dimension: FileStatRow['dimension'];
  readonly key: string;
  /** Days since 1970; told of totals alone. */
  readonly day: number | null;
  readonly files: number;
  readonly bytes: number;
  readonly downloads: number;
}

/** Whole days (UTC), the last one included. */
export interface Days {
  readonly first?: number | undefined;
  readonly last?: number | undefined;
}

export const dayMs = 86_400_000;

const column = (name: string) => sql.ref(`files.${name}`);
const dayOf = sql<number>`(${column('createdAt')} / ${sql.lit(dayMs)})`;
const audienceOf = sql<string>`case when ${column('visibility')} = 'private' then 'private'
  when ${column('visibility')} = 'public' or ${column('rolesJson')} = '[]' then 'open' else ${column('rolesJson')} end`;

/** What each file counts under: one key, none, or several. */
const dimensions: readonly { dimension: FileStatRow['dimension']; key: RawBuilder<string>; from?: RawBuilder<unknown> }[] = [
  { dimension: 'total', key: sql<string>`''` },
  { dimension: 'provider', key: column('provider') as RawBuilder<string> },
  { dimension: 'category', key: column('category') as RawBuilder<string> },
  { dimension: 'language', key: column('language') as RawBuilder<string> },
  { dimension: 'type', key: column('type') as RawBuilder<string> },
  {
    dimension: 'role',
    key: sql<string>`"role"."value"`,
    from: sql`, ${elementsOf(column('rolesJson'))} as "role"`,
  },
];

/** The counts of some stored files, a row for each file and key. `columns` may use the key as "key". */
const countsOf = (which: RawBuilder<boolean>, columns: (dimension: string, key: RawBuilder<string>) => RawBuilder<unknown>, from = sql``) =>
  sql.join(
    dimensions.map(
      ({ dimension, key, from: keys = sql`` }) =>
        sql`select ${columns(dimension, key)} from "files"${from}${keys} where ${which} and ${column('state')} = 'stored' and ${key} is not null`,
    ),
    sql` union all `,
  );

/** Adds the stored files to the counts, `sign` times each, and so many downloads for each. */
export const movingCounts = (which: RawBuilder<boolean>, sign: number, downloads: number): RawBuilder<unknown> => {
  const isOwn = sql.ref('share.isOwn');
  const columns = (dimension: string, key: RawBuilder<string>) =>
    sql`${column('tenantId')}, case ${isOwn} when 1 then ${column('ownerId')} else '' end, ${audienceOf}, ${dayOf}, ${sql.lit(dimension)}, ${key},
      ${sign}, ${column('size')} * ${sign}, ${column('downloads')} * ${sign} + ${downloads}`;
  const shares = sql`, (select 0 as "isOwn" union all select 1) as "share"`;
  return sql`insert into "fileStats" ("tenantId", "ownerId", "audience", "day", "dimension", "key", "files", "bytes", "downloads")
    ${countsOf(sql<boolean>`${which} and (${isOwn} = 0 or ${audienceOf} <> 'open')`, columns, shares)}
    on conflict ("tenantId", "ownerId", "audience", "day", "dimension", "key") do update set "files" = "fileStats"."files" + excluded."files",
      "bytes" = "fileStats"."bytes" + excluded."bytes", "downloads" = "fileStats"."downloads" + excluded."downloads"`;
};

/** Keeps the counts in step with the rows; the ledger asks for it. */
export const createStatsCounter = ({ build }: Pick<Database, 'build'>) => {
  const isFile = sql<boolean>`${column('id')} = ${slot<string>('id')}`;
  const move = template<{ id: string; sign: number; downloads: number }>({
    compile: () => movingCounts(isFile, slot<number>('sign'), slot<number>('downloads')).compile(build),
  });
  // Of what is gone nothing is left, not even a name.
  const forgetEmpty = template<{ id: string }>({
    compile: () =>
      sql`delete from "fileStats" where "files" = 0 and ("tenantId", "ownerId", "audience", "day") in (
        select ${column('tenantId')}, "owner"."value", ${audienceOf}, ${dayOf} from "files", (select '' as "value" union all
          select "ownerId" from "files" where "id" = ${slot<string>('id')}) as "owner" where ${column('id')} = ${slot<string>('id')})`.compile(
        build,
      ),
  });
  return {
    enter: (id: string): Write[] => [move.row({ id, sign: 1, downloads: 0 })],
    leave: (id: string): Write[] => [move.row({ id, sign: -1, downloads: 0 }), forgetEmpty.row({ id })],
    download: (id: string, downloads: number): Write[] => [move.row({ id, sign: 0, downloads })],
  };
};

export type FileStatsStore = ReturnType<typeof createFileStatsStore>;

/** The counts are read as they are kept; what a lock hides is taken out again, in the same look at the data. */
export const createFileStatsStore = ({ read }: Pick<Database, 'read'>) => ({
  async countFiles(viewer: Viewer, { first, last }: Days): Promise<StatCount[]> {
    const { tenantId, ownerId, audiences, isAdmin, unlocked } = viewer;
    const isMeantForViewer = sql<boolean>`("audience" = 'open' or ("audience" <> 'private' and exists (
      select 1 from ${elementsOf(sql`case "audience" when 'open' then '[]' when 'private' then '[]' else "audience" end`)} as "role"
      where "role"."value" in (select "value" from ${elementsOf(JSON.stringify(audiences))}))))`;
    const isSeen = isAdmin
      ? sql<boolean>`"ownerId" = ''`
      : sql<boolean>`(("ownerId" = '' and ${isMeantForViewer}) or ("ownerId" = ${ownerId} and not ${isMeantForViewer}))`;
    const inDays = (day: RawBuilder<unknown>) =>
      sql<boolean>`${day} >= ${first ?? Number.MIN_SAFE_INTEGER} and ${day} <= ${last ?? Number.MAX_SAFE_INTEGER}`;
    const hidden = sql<boolean>`${column('tenantId')} = ${tenantId} and ${isHidden('files.folderId', { tenantId, unlocked })}
      and ${isSeenBy(viewer)} and ${inDays(dayOf)}`;
    const all = sql`select "dimension", "key", "day", "files", "bytes", "downloads" from "fileStats"
      where "tenantId" = ${tenantId} and ${isSeen} and ${inDays(sql.ref('day'))}
      union all ${countsOf(hidden, (dimension, key) => sql`${sql.lit(dimension)}, ${key}, ${dayOf}, -1, -${column('size')}, -${column('downloads')}`)}`;
    const { rows } = await sql<StatCount>`select "dimension", "key", case "dimension" when 'total' then "day" end as "day",
      sum("files") as "files", sum("bytes") as "bytes", sum("downloads") as "downloads"
      from (${all}) group by 1, 2, 3 having sum("files") > 0`.execute(read);
    return rows;
  },
});
