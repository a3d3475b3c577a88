import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../../../database/database.ts';
import { asArray, elementsOf, holds, matchesTerms } from '../../../database/dialect.ts';
import type { FileRow } from '../../../database/tables.ts';
import { badCursor, decodeCursor, type PageRequest } from '../../../foundation/page.ts';
import type { SoughtTerms } from '../../../foundation/term-signs.ts';
import { fileColumns, type NewFileRow } from '../file-store.ts';
import { isHidden, isSeenBy } from '../sight-store.ts';
import type { Viewer } from '../viewer.ts';
import { mayHave } from './order-store.ts';
import { expressionFor, soughtBy } from './search-index-store.ts';
import type { WantedWords } from './search-words.ts';

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
 * So many are sorted for each page (a millisecond for a few hundred). Where more match, at least one of a thousand among a million, a walk in
 * the order of the sort finds a page soon. It goes by stretches where at most that part of them promises something: to read all files
 * stretch by stretch takes twice as long.
 */
const usualLimits = { mostSorted: 1_000, mostPromising: 0.5 };

const mostEndings = 16;
/** Characters; see the index of terms in the migration. */
const listedBeginnings = 2;

/** How the place of a row in each order is known. Files are written in the order of their times, so `position` stands for the time. */
export const placeOf = (sort: Sort, { nameKey, size, position }: ListedFile): (string | number)[] => {
  if (sort.endsWith('createdAt')) return [sort, position];
  return [sort, sort.endsWith('name') ? nameKey : size, position];
};

/** Whole numbers must reach the index of terms as such. */
const whole = (number: number) => sql<number>`cast(${number} as integer)`;
const keyOf = (sort: Sort) => sql.ref(sort.endsWith('name') ? 'files.nameKey' : 'files.size');
const position = sql.ref('files.position');
const directionOf = (sort: Sort) => sql.raw(sort.startsWith('-') ? 'desc' : 'asc');
const beyondOf = (sort: Sort) => sql.raw(sort.startsWith('-') ? '<' : '>');
const orderOf = (sort: Sort) => sql`${keyOf(sort)} ${directionOf(sort)}, ${position} ${directionOf(sort)}`;

/** The place of a row in an order; `key` is absent where the order is that of time. */
interface Place {
  readonly key?: string | number;
  readonly position: number;
}

/** The place that a cursor names; one of another order is refused. */
const placeIn = (sort: Sort, cursor: string): Place => {
  const { other, ...place } = partsOf(sort, cursor);
  if (other !== sort) throw badCursor('The cursor is of a list in another order.');
  return place;
};

const partsOf = (sort: Sort, cursor: string): Place & { other: string } => {
  if (sort.endsWith('createdAt')) {
    const [other, position] = decodeCursor(cursor, ['string', 'number'] as const);
    return { other, position };
  }
  const [other, key, position] = sort.endsWith('name')
    ? decodeCursor(cursor, ['string', 'string', 'number'] as const)
    : decodeCursor(cursor, ['string', 'number', 'number'] as const);
  return { other, key, position };
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
export const createCatalogueStore = ({ read }: Pick<Database, 'read'>, { mostSorted, mostPromising } = usualLimits) => {
  /** All words that begin so, where they are few; of short beginnings the index has a list ready. */
  const findEndings = async ({ beginning }: WantedWords): Promise<string[] | undefined> => {
    if ([...beginning].length <= listedBeginnings) return undefined;
    const found = await read
      .selectFrom('fileTerms')
      .select('term')
      .where('term', '>=', beginning)
      .where('term', '<=', `${beginning}\u{10ffff}`)
      .limit(mostEndings + 1)
      .execute();
    return found.length > mostEndings ? undefined : found.map((row) => row.term);
  };

  /** Where those stand that the index of terms finds, as a JSON array; undefined where they are more than are sorted. */
  const findFew = async (expression: string): Promise<string | undefined> => {
    const found = read
      .selectFrom('fileSearch')
      .select('rowid')
      .where(matchesTerms('fileSearch', expression))
      .limit(mostSorted + 1);
    const { count, positions } = await read
      .selectFrom(found.as('found'))
      .select(({ fn }) => [fn.countAll<number>().as('count'), asArray(sql.ref('found.rowid')).as('positions')])
      .executeTakeFirstOrThrow();
    return count > mostSorted ? undefined : positions;
  };

  /** First which, then their rows: to sort whole rows takes twice as long. */
  const sortFew = (positions: string, where: RawBuilder<boolean>, sort: Sort, limit: number): Promise<ListedFile[]> => {
    const found = read
      .selectFrom('files')
      .select('files.position')
      .where(sql<boolean>`${position} in (select "value" from ${elementsOf(positions)})`)
      .where(where)
      .orderBy(orderOf(sort))
      .limit(limit);
    return read.selectFrom('files').select(columns).where('files.position', 'in', found).orderBy(orderOf(sort)).execute();
  };

  /** What the index of terms finds, read in its order (that of time) or sorted. */
  const find = (expression: string, where: RawBuilder<boolean>, order: RawBuilder<unknown>, limit: number): Promise<ListedFile[]> =>
    read
      .selectFrom('fileSearch')
      .crossJoin('files')
      .whereRef('files.position', '=', 'fileSearch.rowid')
      .where(matchesTerms('fileSearch', expression))
      .where(where)
      .select(columns)
      .orderBy(order)
      .limit(limit)
      .execute();

  /**
   * Goes through the order of the sort until the page is full, past all files whose signs say that they are not wanted, and past stretches
   * of such. In the worst case (each stretch promises what none of its files has) it comes by every file, but reads an index alone: 55 ms of
   * work for a million.
   */
  const walk = async (place: Place | undefined, sought: SoughtTerms, wanted: RawBuilder<boolean>, sort: Sort, limit: number) => {
    const [direction, beyond] = [directionOf(sort), beyondOf(sort)];
    const isInOrder = (table: string) => sql<boolean>`${sql.ref(`${table}.isBySize`)} = ${sql.lit(sort.endsWith('name') ? 0 : 1)}`;
    const pair = (key: string, at: string, sign = sql``) => sql`(${sign}${sql.ref(key)}, ${sign}${sql.ref(at)})`;
    const isBeyond = (one: RawBuilder<unknown>) =>
      place === undefined ? sql<boolean>`1 = 1` : sql<boolean>`${one} ${beyond} (${place.key}, ${whole(place.position)})`;
    const entry = pair('entry.key', 'entry.position');
    const from = pair('stretch.fromKey', 'stretch.fromPosition');
    const to = pair('stretch.toKey', 'stretch.toPosition');
    const mayBeIn = mayHave('stretch', sought);
    const stretches = read
      .selectFrom('fileStretches as stretch')
      .where(isInOrder('stretch'))
      .where(isBeyond(sort.startsWith('-') ? from : to));
    const isFound = sql<boolean>`${isInOrder('entry')} and ${mayHave('entry', sought)}
      and "files"."position" = "entry"."position" and ${wanted}`;
    const { all, promising } = await stretches
      .select(({ fn }) => [fn.countAll<number>().as('all'), sql<number>`total(${mayBeIn})`.as('promising')])
      .executeTakeFirstOrThrow();
    if (promising > all * mostPromising)
      return await read
        .selectFrom('fileOrders as entry')
        .crossJoin('files')
        .select(columns)
        .where(isBeyond(entry))
        .where(isFound)
        .orderBy(sql`"entry"."key" ${direction}, "entry"."position" ${direction}`)
        .limit(limit)
        .execute();
    return await stretches
      .crossJoin('fileOrders as entry')
      .crossJoin('files')
      .select(columns)
      .where(mayBeIn)
      .where(sql<boolean>`${entry} >= ${from} and ${entry} < ${to}`)
      // Each stretch is read from its own beginning: "+" keeps the planner from beginning at the place in every one of them.
      .where(isBeyond(pair('entry.key', 'entry.position', sql.raw('+'))))
      .where(isFound)
      .orderBy(sql`"stretch"."fromKey" ${direction}, "stretch"."fromPosition" ${direction}`)
      .orderBy(sql`"entry"."key" ${direction}, "entry"."position" ${direction}`)
      .limit(limit)
      .execute();
  };

  return {
    /** One more than the page has, to know whether another one follows. */
    async listFiles(viewer: Viewer, filter: CatalogueFilter, sort: Sort, { limit, cursor }: PageRequest): Promise<ListedFile[]> {
      const place = cursor === undefined ? undefined : placeIn(sort, cursor);
      const endings = filter.words && (await findEndings(filter.words));
      if (endings?.length === 0) return [];
      const sought = soughtBy(viewer, filter);
      const expression = expressionFor(sought, endings);
      const wanted = conditionsOf(viewer, filter);
      if (sort.endsWith('createdAt')) {
        const rowid = sql.ref('fileSearch.rowid');
        const where = place === undefined ? wanted : sql<boolean>`${wanted} and ${rowid} ${beyondOf(sort)} ${whole(place.position)}`;
        return await find(expression, where, sql`${rowid} ${directionOf(sort)}`, limit + 1);
      }
      const few = await findFew(expression);
      if (few === undefined) return await walk(place, sought, wanted, sort, limit + 1);
      const isAfter =
        place && sql<boolean>`(${keyOf(sort)}, ${position}) ${beyondOf(sort)} (${place.key}, ${whole(place.position)}) and ${wanted}`;
      return await sortFew(few, isAfter ?? wanted, sort, limit + 1);
    },
  };
};
