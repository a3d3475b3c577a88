import { type RawBuilder, sql } from 'kysely';
import type { Database, Write } from '../../../database/database.ts';
import { anyOfSigns, partOfSign, signOfTerms } from '../../../database/dialect.ts';
import { slot, template } from '../../../database/template.ts';
import {
  bitsOfTerm,
  noParts,
  partsOf,
  type SignLayout,
  type SignParts,
  type SoughtTerm,
  type SoughtTerms,
  setBit,
} from '../../../foundation/term-signs.ts';
import { termsOfRow } from './search-index-store.ts';

// All files in the orders of their names and of their sizes, in stretches that can be left out as a whole. Like the index of terms they are
// derived from the rows and only find.

/** What the sign of a file is made of: more for what is asked for often and has many values. */
export const fileSigns: SignLayout = [
  { beginning: '=c', marks: 16, code: 6 },
  { beginning: '=p', marks: 16, code: 6 },
  { beginning: '=y', marks: 16, code: 4 },
  { beginning: '=k', marks: 8 },
  { beginning: '=l', marks: 8, code: 4 },
  { beginning: '=v', marks: 7 },
  { beginning: '=t', marks: 8, code: 4 },
  { beginning: '=r', marks: 12 },
  { beginning: '=s', marks: 10 },
  { beginning: '=f', marks: 4, code: 8 },
  { beginning: '=o', marks: 4, code: 12 },
  // Of words the first letter, the first two, the first three.
  { beginning: '', marks: 31, characters: 1 },
  { beginning: '', marks: 31, characters: 2 },
  { beginning: '', marks: 33, characters: 3 },
];

export interface StretchSizes {
  /** A stretch is divided when more than that came into it, … */
  readonly most: number;
  /** … into some that have as many, and a few more. */
  readonly divided: number;
}

const usualSizes: StretchSizes = { most: 512, divided: 256 };

const parts = Array.from({ length: partsOf(fileSigns) }, (_, part) => part);
const listOf = (of: (part: number, name: string) => RawBuilder<unknown>) => sql.join(parts.map((part) => of(part, `s${part}`)));
const signColumns = listOf((_, name) => sql.ref(name));

const partsOfSign = listOf((part, name) => sql`${partOfSign(sql.ref('sign'), part)} as ${sql.ref(name)}`);

const eachOrder = sql`(select 0 as "isBySize" union all select 1) as "order"`;
const keyInOrder = sql`case "isBySize" when 0 then "nameKey" else "size" end`;

export const insertingEntries = (which: RawBuilder<boolean>): RawBuilder<unknown> =>
  sql`with "file" as materialized (select "nameKey", "size", "position", ${signOfTerms(fileSigns, termsOfRow)} as "sign" from "files" where ${which}),
      "signed" as materialized (select "nameKey", "size", "position", ${partsOfSign} from "file")
    insert into "fileOrders" ("isBySize", "key", "position", ${signColumns})
    select "isBySize", ${keyInOrder}, "position", ${signColumns} from "signed" cross join ${eachOrder}`;

/**
 * Divides the stretches that the condition names evenly, by what is in them now. So what was added to the
 * signs by files that are gone is forgotten, too.
 */
export const dividingStretches = (which: RawBuilder<boolean>, divided = usualSizes.divided): RawBuilder<unknown> =>
  sql`insert into "fileStretches" ("isBySize", "fromKey", "fromPosition", "toKey", "toPosition", "amount", ${signColumns})
    select "isBySize", "startKey", "startPosition",
      lead("startKey", 1, "toKey") over "whole", lead("startPosition", 1, "toPosition") over "whole", "amount", ${listOf((part) => partOfSign(sql.ref('sign'), part))}
    from (select "stretch", "piece", "isBySize", "toKey", "toPosition", min("number"), count(*) as "amount",
        case "piece" when 0 then "fromKey" else "key" end as "startKey", case "piece" when 0 then "fromPosition" else "position" end as "startPosition",
        ${anyOfSigns(signColumns)} as "sign"
      from (select *, ("number" - 1) * max(1, "all" / ${sql.lit(divided)}) / "all" as "piece" from (
        select "large"."id" as "stretch", "large"."fromKey", "large"."fromPosition", "large"."toKey", "large"."toPosition", "entry".*,
          row_number() over (partition by "large"."id" order by "entry"."key", "entry"."position") as "number",
          count(*) over (partition by "large"."id") as "all"
        from "fileStretches" as "large" cross join "fileOrders" as "entry"
        where ${which} and "entry"."isBySize" = "large"."isBySize"
          and ("entry"."key", "entry"."position") >= ("large"."fromKey", "large"."fromPosition")
          and ("entry"."key", "entry"."position") < ("large"."toKey", "large"."toPosition")))
      group by "stretch", "piece")
    where 1 = 1 window "whole" as (partition by "stretch" order by "piece")
    on conflict ("isBySize", "fromKey", "fromPosition") do update set "toKey" = excluded."toKey", "toPosition" = excluded."toPosition",
      "amount" = excluded."amount", ${listOf((_, name) => sql`${sql.ref(name)} = ${sql.ref(`excluded.${name}`)}`)}`;

/** What stands in the parts: `mask` says which bits are asked for. */
const testParts = (table: string, masks: SignParts, wanted: SignParts): RawBuilder<boolean> => {
  const tests = masks.flatMap((mask, part) =>
    mask === 0 ? [] : [sql<boolean>`${sql.ref(`${table}.s${part}`)} & cast(${mask} as integer) = cast(${wanted[part]} as integer)`],
  );
  return tests.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`(${sql.join(tests, sql` and `)})`;
};

/** Whether the file of the entry, or one of those of the stretch, may be among what is sought. */
export const mayHave = (table: 'entry' | 'stretch', sought: SoughtTerms): RawBuilder<boolean> => {
  const add = (masks: SignParts, wanted: SignParts, { text, isBeginning = false }: SoughtTerm) => {
    bitsOfTerm(fileSigns, text.toLowerCase(), { isWhole: !isBeginning, hasCodes: table === 'entry' }, (bit, isSet) => {
      setBit(masks, bit);
      if (isSet) setBit(wanted, bit);
    });
  };
  const [masks, wanted] = [noParts(fileSigns), noParts(fileSigns)];
  for (const [only, ...others] of sought) if (only !== undefined && others.length === 0) add(masks, wanted, only);
  const choices = sought
    .filter(({ length }) => length > 1)
    .map((alternatives) => {
      const tests = alternatives.map((one) => {
        const [ownMasks, ownWanted] = [noParts(fileSigns), noParts(fileSigns)];
        add(ownMasks, ownWanted, one);
        return testParts(table, ownMasks, ownWanted);
      });
      return sql<boolean>`(${sql.join(tests, sql` or `)})`;
    });
  return sql<boolean>`${sql.join([testParts(table, masks, wanted), ...choices], sql` and `)}`;
};

/** Keeps the orders in step with the rows; the ledger asks for it. */
export const createFileOrders = ({ build }: Pick<Database, 'build'>, { most, divided } = usualSizes) => {
  const compiled = (query: RawBuilder<unknown>) => template<{ id: string }>({ compile: () => query.compile(build) });
  const isFile = sql<boolean>`"files"."id" = ${slot<string>('id')}`;
  // Without its type ("+"), as the index has it.
  const places = sql`(select "isBySize", ${keyInOrder} as "key", +"position" as "position" from "files" cross join ${eachOrder} where ${isFile})`;
  const insertEntries = compiled(insertingEntries(isFile));
  const addToStretches = compiled(sql`with "new" as materialized (
      select "entry".*, (select "id" from "fileStretches" as "stretch" where "stretch"."isBySize" = "entry"."isBySize"
          and ("fromKey", "fromPosition") <= ("entry"."key", "entry"."position")
        order by "fromKey" desc, "fromPosition" desc limit 1) as "stretch"
      from ${places} as "place" cross join "fileOrders" as "entry" where "entry"."isBySize" = "place"."isBySize"
        and "entry"."key" = "place"."key" and "entry"."position" = "place"."position")
    update "fileStretches" set "amount" = "amount" + 1,
      ${listOf((_, name) => sql`${sql.ref(name)} = ${sql.ref(`fileStretches.${name}`)} | ${sql.ref(`new.${name}`)}`)}
    from "new" where "fileStretches"."id" = "new"."stretch"`);
  const divideLarge = template<object>({
    compile: () => dividingStretches(sql<boolean>`"large"."amount" > ${sql.lit(most)}`, divided).compile(build),
  });
  const removeEntries = compiled(sql`delete from "fileOrders" where ("isBySize", "key", "position") in ${places}`);
  return {
    enter: (id: string): Write[] => [insertEntries.row({ id }), addToStretches.row({ id }), divideLarge.row({})],
    leave: (id: string): Write[] => [removeEntries.row({ id })],
  };
};
