import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../../database/database.ts';
import { elementsOf, holds, matchesTerms } from '../../database/dialect.ts';
import type { FileRow } from '../../database/tables.ts';
import { badCursor, decodeCursor, type PageRequest } from '../../foundation/page.ts';
import { fileColumns, type NewFileRow } from './file-store.ts';
import { expressionFor } from './search-index-store.ts';
import type { WantedWords } from './search-words.ts';
import { isHidden, isSeenBy } from './sight-store.ts';
import type { Viewer } from './viewer.ts';

export const sorts = ['createdAt', '-createdAt', 'name', '-name', 'size', '-size'] as const;
export type Sort = (typeof sorts)[number];

export interface CatalogueFilter {
  readonly states: readonly FileRow['state'][];
  /** The viewer's own alone. */
  readonly isOwn: boolean;
  readonly category?: string | undefined;
  readonly language?: string | undefined;
  readonly provider?: string | undefined;
  readonly role?: string | undefined;
  /** A media type, or all of a kind as `image/*`. */
  readonly type?: string | undefined;
  readonly visibility?: FileRow['visibility'] | undefined;
  /** A folder's id, or `root`. */
  readonly folder?: string | undefined;
  readonly words?: WantedWords | undefined;
}

export interface ListedFile extends NewFileRow {
  readonly position: number;
}

const columns = [...fileColumns, 'files.position'] as const;

export type CatalogueStore = ReturnType<typeof createCatalogueStore>;

/**
 * So many are sorted for each page; where more match, a walk in the order of the sort finds a page soon. Of a million files a walk looks at
 * 50 × 1,000,000 / 5,000 = 10,000 rows at the most, if what matches is spread over the order.
 */
const mostSorted = 5_000;

/** How the place of a row in each order is known. Files are written in the order of their times, so `position` stands for the time. */
export const placeOf = (sort: Sort, { nameKey, size, position }: ListedFile): (string | number)[] => {
  if (sort.endsWith('createdAt')) return [sort, position];
  return [sort, sort.endsWith('name') ? nameKey : size, position];
};

/** Whole numbers must reach the index of terms as such. */
const whole = (number: number) => sql<number>`cast(${number} as integer)`;

/** What lies behind the place that a cursor names; one of another order is refused. */
const isAfter = (sort: Sort, cursor: string): RawBuilder<boolean> => {
  const beyond = sql.raw(sort.startsWith('-') ? '<' : '>');
  const mustBeOf = (other: string) => {
    if (other !== sort) throw badCursor('The cursor is of a list in another order.');
  };
  if (sort.endsWith('createdAt')) {
    const [other, position] = decodeCursor(cursor, ['string', 'number'] as const);
    mustBeOf(other);
    return sql<boolean>`${sql.ref('fileSearch.rowid')} ${beyond} ${whole(position)}`;
  }
  const [other, key, position] = sort.endsWith('name')
    ? decodeCursor(cursor, ['string', 'string', 'number'] as const)
    : decodeCursor(cursor, ['string', 'number', 'number'] as const);
  mustBeOf(other);
  return sql<boolean>`(${sql.ref(keyOf(sort))}, ${sql.ref('files.position')}) ${beyond} (${key}, ${whole(position)})`;
};

const keyOf = (sort: Sort): string => (sort.endsWith('name') ? 'files.nameKey' : 'files.size');

const orderOf = (sort: Sort): RawBuilder<unknown> => {
  const direction = sql.raw(sort.startsWith('-') ? 'desc' : 'asc');
  if (sort.endsWith('createdAt')) return sql`${sql.ref('fileSearch.rowid')} ${direction}`;
  return sql`${sql.ref(keyOf(sort))} ${direction}, ${sql.ref('files.position')} ${direction}`;
};

const isOfType = (type: string): RawBuilder<boolean> =>
  type.endsWith('/*')
    ? sql<boolean>`(${sql.ref('files.type')} >= ${type.slice(0, -1)} and ${sql.ref('files.type')} < ${`${type.slice(0, -2)}0`})`
    : sql<boolean>`${sql.ref('files.type')} = ${type}`;

/** What the row must be. The filters that have indexes for other questions are hidden from the planner: the order comes first here. */
const conditionsOf = (viewer: Viewer, filter: CatalogueFilter): RawBuilder<boolean> => {
  const { states, isOwn, category, language, provider, role, type, visibility, folder, words } = filter;
  const is = (name: keyof FileRow, value: string) => sql<boolean>`${sql.ref(`files.${name}`)} = ${value}`;
  const conditions: RawBuilder<boolean>[] = [
    sql<boolean>`${sql.ref('files.state')} || '' in (${sql.join(states)})`,
    ...(isOwn ? [sql<boolean>`${sql.ref('files.ownerId')} || '' = ${viewer.ownerId}`] : []),
    ...(category === undefined ? [] : [is('category', category)]),
    ...(language === undefined ? [] : [is('language', language)]),
    ...(provider === undefined ? [] : [is('provider', provider)]),
    ...(role === undefined
      ? []
      : [sql<boolean>`exists (select 1 from ${elementsOf(sql.ref('files.rolesJson'))} as "wanted" where "wanted"."value" = ${role})`]),
    ...(type === undefined ? [] : [isOfType(type)]),
    ...(visibility === undefined ? [] : [is('visibility', visibility)]),
    ...(folder === undefined
      ? []
      : [
          folder === 'root'
            ? sql<boolean>`${sql.ref('files.folderId')} is null`
            : sql<boolean>`${sql.ref('files.folderId')} || '' = ${folder}`,
        ]),
    ...(words?.whole ?? []).map((word) => holds(sql.ref('files.words'), ` ${word} `)),
    ...(words === undefined ? [] : [holds(sql.ref('files.words'), ` ${words.beginning}`)]),
    isSeenBy(viewer),
    sql<boolean>`not ${isHidden('files.folderId', viewer)}`,
  ];
  return sql<boolean>`${sql.join(conditions, sql` and `)}`;
};

/** Lists of files. Every page costs about the same, whatever the filter, the order and how far in it lies. */
export const createCatalogueStore = ({ read }: Pick<Database, 'read'>) => {
  const hasMoreThan = async (expression: string, amount: number): Promise<boolean> => {
    const found = read
      .selectFrom('fileSearch')
      .select('rowid')
      .where(matchesTerms('fileSearch', expression))
      .limit(amount + 1);
    const { count } = await read
      .selectFrom(found.as('found'))
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return count > amount;
  };

  return {
    /** One more than the page has, to know whether another one follows. */
    async listFiles(viewer: Viewer, filter: CatalogueFilter, sort: Sort, { limit, cursor }: PageRequest): Promise<ListedFile[]> {
      const expression = expressionFor(viewer, filter);
      const wanted = conditionsOf(viewer, filter);
      const where = cursor === undefined ? wanted : sql<boolean>`${wanted} and ${isAfter(sort, cursor)}`;
      const order = orderOf(sort);
      if (!sort.endsWith('createdAt') && (await hasMoreThan(expression, mostSorted)))
        return await read
          .selectFrom('files')
          .select(columns)
          .where(where)
          .orderBy(order)
          .limit(limit + 1)
          .execute();
      return await read
        .selectFrom('fileSearch')
        .crossJoin('files')
        .whereRef('files.position', '=', 'fileSearch.rowid')
        .where(matchesTerms('fileSearch', expression))
        .where(where)
        .select(columns)
        .orderBy(order)
        .limit(limit + 1)
        .execute();
    },
  };
};
