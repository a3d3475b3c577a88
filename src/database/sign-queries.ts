import { type RawBuilder, sql } from 'kysely';
import { bitsOfTerm, noParts, type SignLayout, type SignParts, setBit } from './term-signs.ts';

// Signs in SQL. Testing one is arithmetic that every database has; making one is not (`term-signs.ts`).

/** A term that a row must have, or the beginning of one. */
export interface SoughtTerm {
  readonly text: string;
  readonly isBeginning?: boolean;
}

/** All of them must hold; of each one of the alternatives. */
export type SoughtTerms = readonly (readonly SoughtTerm[])[];

const partColumn = (table: string, part: number) => sql.ref(`${table}.s${part}`);

/** What stands in the parts: `mask` says which bits are asked for. */
const testParts = (table: string, masks: SignParts, wanted: SignParts): RawBuilder<boolean> => {
  const tests = masks.flatMap((mask, part) =>
    mask === 0 ? [] : [sql<boolean>`${partColumn(table, part)} & cast(${mask} as integer) = cast(${wanted[part]} as integer)`],
  );
  return tests.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`(${sql.join(tests, sql` and `)})`;
};

/** Whether a row with the sign in the columns s0, s1, … of the table may have the terms; with `isOfMany` whether one of several rows may. */
export const mayHave = (layout: SignLayout, table: string, sought: SoughtTerms, isOfMany = false): RawBuilder<boolean> => {
  const add = (masks: SignParts, wanted: SignParts, { text, isBeginning = false }: SoughtTerm) => {
    bitsOfTerm(layout, text.toLowerCase(), { isWhole: !isBeginning, hasCodes: !isOfMany }, (bit, isSet) => {
      setBit(masks, bit);
      if (isSet) setBit(wanted, bit);
    });
  };
  const [masks, wanted] = [noParts(layout), noParts(layout)];
  for (const [only, ...others] of sought) if (only !== undefined && others.length === 0) add(masks, wanted, only);
  const choices = sought
    .filter(({ length }) => length > 1)
    .map((alternatives) => {
      const tests = alternatives.map((one) => {
        const [ownMasks, ownWanted] = [noParts(layout), noParts(layout)];
        add(ownMasks, ownWanted, one);
        return testParts(table, ownMasks, ownWanted);
      });
      return sql<boolean>`(${sql.join(tests, sql` or `)})`;
    });
  return sql<boolean>`${sql.join([testParts(table, masks, wanted), ...choices], sql` and `)}`;
};

/** The sign of terms as a JSON array of its parts; see `addSignFunctions` in `term-signs.ts`. */
export const signOfTerms = (layout: SignLayout, terms: RawBuilder<string>): RawBuilder<string> =>
  sql<string>`sign_of(${sql.lit(JSON.stringify(layout))}, ${terms})`;
export const partOfSign = (sign: RawBuilder<string>, part: number): RawBuilder<number> => sql<number>`${sign} ->> ${sql.lit(part)}`;

/** The signs of all rows laid over each other, as such an array; see `addSignFunctions`. */
export const anyOfSigns = (parts: RawBuilder<unknown>): RawBuilder<string> =>
  sql<string>`any_of_signs(json_group_array(json_array(${parts})))`;
