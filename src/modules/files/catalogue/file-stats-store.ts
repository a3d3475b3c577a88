import { type RawBuilder, sql } from 'kysely';
import type { Database, Write } from '../../../database/database.ts';
import { elementsOf } from '../../../database/dialect.ts';
import type { FileStatRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import { isHidden, isSeenBy } from '../sight-store.ts';
import type { Viewer } from '../viewer.ts';

export interface StatCount {
  readonly dimension: FileStatRow['dimension'];
  readonly key: string;
  /** Its first day, in days since 1970; told of totals alone. */
  readonly month: number | null;
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

interface Span {
  readonly span: FileStatRow['span'];
  readonly days: Days;
}

/** The first day of the month, or of one that follows. */
const monthStart = (day: number, months = 0): number => {
  const date = new Date(day * dayMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months) / dayMs;
};

/** All the days, whole months as such. */
export const spansOf = ({ first, last }: Days): Span[] => {
  const from = first === undefined || monthStart(first) === first ? first : monthStart(first, 1);
  const behind = last === undefined ? undefined : monthStart(last + 1);
  if (from !== undefined && behind !== undefined && from >= behind) return [{ span: 'day', days: { first, last } }];
  return [
    ...(first === from || first === undefined || from === undefined ? [] : [{ span: 'day', days: { first, last: from - 1 } } as const]),
    { span: 'month', days: { first: from, last: behind === undefined ? undefined : behind - 1 } },
    ...(behind === undefined || last === undefined || behind > last ? [] : [{ span: 'day', days: { first: behind, last } } as const]),
  ];
};

const column = (name: string) => sql.ref(`files.${name}`);
const dayOf = sql<number>`(${column('createdAt')} / ${sql.lit(dayMs)})`;
/** The first day of the month of a day. */
const monthOf = (day: RawBuilder<number>) => sql<number>`(unixepoch(${day} * 86400, 'unixepoch', 'start of month') / 86400)`;
const audienceOf = sql<string>`case when ${column('visibility')} = 'private' then 'private'
  when ${column('visibility')} = 'public' or ${column('rolesJson')} = '[]' then 'open' else ${column('rolesJson')} end`;

/** What each file counts under: one key, none, or several. `counted` has a row for each file, in the columns of "fileStatChanges". */
const dimensions: readonly { dimension: FileStatRow['dimension']; key: RawBuilder<string>; from?: RawBuilder<unknown> }[] = [
  { dimension: 'total', key: sql<string>`''` },
  { dimension: 'provider', key: sql<string>`"counted"."provider"` },
  { dimension: 'category', key: sql<string>`"counted"."category"` },
  { dimension: 'language', key: sql<string>`"counted"."language"` },
  { dimension: 'type', key: sql<string>`"counted"."type"` },
  { dimension: 'role', key: sql<string>`"role"."value"`, from: sql`, ${elementsOf(sql.ref('counted.rolesJson'))} as "role"` },
];

/** A row for each file and key; `columns` stand before "dimension", "key", "day", "files", "bytes", "downloads". */
const byKeys = (source: RawBuilder<unknown>, columns = sql``, where = sql<boolean>`1 = 1`): RawBuilder<unknown> =>
  sql.join(
    dimensions.map(
      ({ dimension, key, from = sql`` }) =>
        sql`select ${columns} ${sql.lit(dimension)} as "dimension", ${key} as "key", "day", "files", "bytes", "downloads"
          from ${source} as "counted"${from} where ${where} and ${key} is not null`,
    ),
    sql` union all `,
  );

const factsOfFile = sql`${column('rolesJson')}, ${dayOf}, ${column('provider')}, ${column('category')}, ${column('language')}, ${column('type')}`;

/** Notes a change of the counts: the files once more, or once less, and so many downloads of each. */
export const notingChanges = (which: RawBuilder<boolean>, sign: number, downloads: number): RawBuilder<unknown> =>
  sql`insert into "fileStatChanges" ("tenantId", "ownerId", "audience", "rolesJson", "day", "provider", "category", "language", "type",
      "files", "bytes", "downloads")
    select ${column('tenantId')}, ${column('ownerId')}, ${audienceOf}, ${factsOfFile}, ${sign}, ${column('size')} * ${sign},
      ${column('downloads')} * ${sign} + ${downloads} from "files" where ${which} and ${column('state')} = 'stored'`;

/**
 * Keeps the counts in step with the rows; the ledger asks for it. Each change is noted alone, and added to the counts a little later
 * together with others (measured: an upload that adds to all its counts at once costs 50 µs more). Whoever reads adds what is still noted.
 */
export const createStatsCounter = ({ build }: Pick<Database, 'build'>) => {
  const isFile = sql<boolean>`${column('id')} = ${slot<string>('id')}`;
  const note = template<{ id: string; sign: number; downloads: number }>({
    compile: () => notingChanges(isFile, slot<number>('sign'), slot<number>('downloads')).compile(build),
  });
  return {
    enter: (id: string): Write[] => [note.row({ id, sign: 1, downloads: 0 })],
    leave: (id: string): Write[] => [note.row({ id, sign: -1, downloads: 0 })],
    download: (id: string, downloads: number): Write[] => [note.row({ id, sign: 0, downloads })],
  };
};

export type FileStatsStore = ReturnType<typeof createFileStatsStore>;

export const createFileStatsStore = ({ read, build }: Pick<Database, 'read' | 'build'>) => {
  const isNoted = sql<boolean>`"seq" <= ${slot<number>('seq')}`;
  const ofOwner = sql.ref('share.isOwn');
  const addNoted = template<{ seq: number }>({
    compile: () => {
      // Once for everybody who may see it, and where it is not open to all of the tenant once for its owner.
      const source = sql`(select "tenantId", "audience", "rolesJson", "provider", "category", "language", "type", "files", "bytes", "downloads",
          "span", case "span" when 'day' then "day" else ${monthOf(sql.ref('day'))} end as "day",
          case ${ofOwner} when 1 then "ownerId" else '' end as "countedFor"
        from "fileStatChanges", (select 0 as "isOwn", 'day' as "span" union all select 0, 'month' union all select 1, 'day') as "share"
        where ${isNoted} and (${ofOwner} = 0 or "audience" <> 'open'))`;
      const columns = sql`"counted"."tenantId", "counted"."countedFor", "counted"."span", "counted"."audience",`;
      return sql`insert into "fileStats" ("tenantId", "ownerId", "span", "audience", "dimension", "key", "day", "files", "bytes", "downloads")
        select "tenantId", "countedFor", "span", "audience", "dimension", "key", "day", sum("files"), sum("bytes"), sum("downloads")
        from (${byKeys(source, columns)}) where 1 = 1 group by 1, 2, 3, 4, 5, 6, 7
        on conflict ("tenantId", "ownerId", "span", "day", "audience", "dimension", "key") do update set "files" = "fileStats"."files" + excluded."files",
          "bytes" = "fileStats"."bytes" + excluded."bytes", "downloads" = "fileStats"."downloads" + excluded."downloads"`.compile(build);
    },
  });
  // Of what is gone nothing is left, not even a name.
  const forgetEmpty = template<object>(build.deleteFrom('fileStats').where((eb) => eb('files', '=', eb.lit(0))));
  const removeNoted = template<{ seq: number }>(build.deleteFrom('fileStatChanges').where('seq', '<=', slot<number>('seq')));

  return {
    /** Adds the changes up to that one to the counts. */
    addNoted: (seq: number): Write[] => [addNoted.row({ seq }), forgetEmpty.row({}), removeNoted.row({ seq })],

    /** The last of the oldest changes that are noted still, so many at the most. */
    async findNoted(most: number): Promise<{ seq: number; amount: number } | undefined> {
      const oldest = read.selectFrom('fileStatChanges').select('seq').orderBy('seq').limit(most);
      const { seq, amount } = await read
        .selectFrom(oldest.as('oldest'))
        .select(({ fn }) => [fn.max('seq').as('seq'), fn.countAll<number>().as('amount')])
        .executeTakeFirstOrThrow();
      return amount === 0 ? undefined : { seq, amount };
    },

    /** The counts, with what is noted still; what a lock hides is taken out again. All in the same look at the data. */
    async countFiles(viewer: Viewer, { first, last }: Days): Promise<StatCount[]> {
      const { tenantId, ownerId, audiences, isAdmin, unlocked } = viewer;
      const isMeantForViewer = sql<boolean>`("audience" = 'open' or ("audience" <> 'private' and exists (
        select 1 from ${elementsOf(sql`case "audience" when 'open' then '[]' when 'private' then '[]' else "audience" end`)} as "role"
        where "role"."value" in (select "value" from ${elementsOf(JSON.stringify(audiences))}))))`;
      const inDays = (day: RawBuilder<unknown>, days: Days = { first, last }) =>
        sql<boolean>`${day} >= ${days.first ?? Number.MIN_SAFE_INTEGER} and ${day} <= ${days.last ?? Number.MAX_SAFE_INTEGER}`;
      const inSpans = (spans: readonly Span[], whose: string, which: RawBuilder<boolean>) =>
        spans.map(
          ({ span, days }) => sql`select "dimension", "key", "day", "files", "bytes", "downloads" from "fileStats"
            where "tenantId" = ${tenantId} and "ownerId" = ${whose} and "span" = ${span} and ${inDays(sql.ref('day'), days)} and ${which}`,
        );
      const counted = isAdmin
        ? inSpans(spansOf({ first, last }), '', sql<boolean>`1 = 1`)
        : [
            ...inSpans(spansOf({ first, last }), '', isMeantForViewer),
            ...inSpans([{ span: 'day', days: { first, last } }], ownerId, sql<boolean>`not ${isMeantForViewer}`),
          ];
      const isInNote = isAdmin ? sql<boolean>`1 = 1` : sql<boolean>`("ownerId" = ${ownerId} or ${isMeantForViewer})`;
      const isTakenOut = sql<boolean>`${column('tenantId')} = ${tenantId} and ${column('state')} = 'stored'
        and ${isHidden('files.folderId', { tenantId, unlocked })} and ${isSeenBy(viewer)} and ${inDays(dayOf)}`;
      const { rows } =
        await sql<StatCount>`with "moved" ("rolesJson", "day", "provider", "category", "language", "type", "files", "bytes", "downloads")
          as materialized (select "rolesJson", "day", "provider", "category", "language", "type", "files", "bytes", "downloads"
            from "fileStatChanges" where "tenantId" = ${tenantId} and ${isInNote} and ${inDays(sql.ref('day'))}
          union all select ${factsOfFile}, -1, -${column('size')}, -${column('downloads')} from "files" where ${isTakenOut})
        select "dimension", "key", case "dimension" when 'total' then ${monthOf(sql.ref('day'))} end as "month",
          sum("files") as "files", sum("bytes") as "bytes", sum("downloads") as "downloads"
        from (${sql.join([...counted, byKeys(sql.ref('moved'))], sql` union all `)})
        group by 1, 2, 3 having sum("files") > 0`.execute(read);
      return rows;
    },
  };
};
